/**
 * Weights of a row: e to the power of each logit less the largest.
 *
 * Owns the exponential: plain sums and products, so that every engine gives the same bits, at about twice the speed of `Math.exp`.
 *
 * @module
 */

// Below this a weight no longer matters, but must stay above 0 so that no mass is.
const LOWEST_EXPONENT = -600;
// Added to a number below 2^51 it leaves no digit behind the point.
const TO_WHOLE = 1.5 * 2 ** 52;
// The natural logarithm of 2 in two parts; the first has so few digits that its product with `k` is exact.
const LN_2_HIGH = 0.6931471803691238;
const LN_2_LOW = 1.9082149292705877e-10;
// 2 to the power of 0, -1, ... as far as a weight needs.
const POWERS_OF_HALF = Float64Array.from({ length: 868 }, (_, k) => 2 ** -k);

/**
 * Writes the weight of each of the row's logits from place `start` up to `end`, at least that of 600 below the maximum, to `out`, whose entry
 * `first` is for place 0.
 *
 * `2^k p(r)` with `x = k ln 2 + r` and the Taylor polynomial of degree 12 in `|r| <= ln 2 / 2`, whose rest is below 2e-16: within 5e-16 of
 * the value, and exactly 1 for the maximum.
 *
 * @param {import('./tree.mjs').Row} row `[V]`, finite
 * @param {number} maximum
 * @param {number} start
 * @param {number} end
 * @param {Float64Array} out
 * @param {number} first
 * @returns {number} the sum of these weights
 */
export function writeWeights(row, maximum, start, end, out, first) {
  let sum = 0;
  for (let i = start; i < end; i++) {
    const x = Math.max(row[i] - maximum, LOWEST_EXPONENT);
    const k = x * Math.LOG2E + TO_WHOLE - TO_WHOLE;
    const r = x - k * LN_2_HIGH - k * LN_2_LOW;
    // In pairs of terms, so that they can be computed side by side.
    const r2 = r * r;
    const r4 = r2 * r2;
    const from0 = 1 + r + (1 / 2 + r * (1 / 6)) * r2;
    const from4 = 1 / 24 + r * (1 / 120) + (1 / 720 + r * (1 / 5040)) * r2;
    const from8 = 1 / 40320 + r * (1 / 362880) + (1 / 3628800 + r * (1 / 39916800)) * r2;
    const weight = (from0 + (from4 + (from8 + (1 / 479001600) * r4) * r4) * r4) * POWERS_OF_HALF[-k | 0];
    out[first + i] = weight;
    sum += weight;
  }
  return sum;
}
