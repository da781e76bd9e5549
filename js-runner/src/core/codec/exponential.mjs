/**
 * Weights of a row: e to the power of each logit less the largest.
 *
 * Owns the exponential: a table and a short polynomial, more than twice as fast as `Math.exp`, which is a call for each value.
 *
 * @module
 */

// Below this a weight no longer matters, but must stay above 0 so that no mass is.
const LOWEST_EXPONENT = -600;
// The table of fractions has so many entries for one power of two: as many as stay in a processor's nearest cache.
const STEP_BITS = 11;
const STEPS = 1 << STEP_BITS;
const STEPS_PER_NAT = STEPS / Math.LN2;
// The natural logarithm of 2 in two parts, by step; the first has so few digits that its product with a whole number is exact.
const STEP_HIGH = 0.6931471803691238 / STEPS;
const STEP_LOW = 1.9082149292705877e-10 / STEPS;
// 2 to the power of 0, -1/2048, -2/2048, ...
const FRACTIONS = Float64Array.from({ length: STEPS }, (_, i) => Math.exp((-i / STEPS) * Math.LN2));
// 2 to the power of 0, -1, -2, ... as far as a weight needs.
const POWERS = Float64Array.from({ length: 868 }, (_, n) => 2 ** -n);

/**
 * Writes the weight of each of the row's logits from place `start` up to `end`, at least that of 600 below the maximum, to `out`, whose entry
 * `first` is for place 0.
 *
 * `2^(-k/2048) p(r)` with `x = -k/2048 ln 2 + r` and the Taylor polynomial of degree 3 in `|r| <= ln 2 / 4096`: within 1e-15 of the value, and
 * exactly 1 for the maximum.
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
    const below = row[i] - maximum;
    const x = below < LOWEST_EXPONENT ? LOWEST_EXPONENT : below;
    // The nearest whole number; x is not above 0.
    const k = (0.5 - x * STEPS_PER_NAT) | 0;
    const r = x + k * STEP_HIGH + k * STEP_LOW;
    const fraction = FRACTIONS[k & (STEPS - 1)] * POWERS[k >> STEP_BITS];
    const weight = (1 + r + r * r * (1 / 2 + r * (1 / 6))) * fraction;
    out[first + i] = weight;
    sum += weight;
  }
  return sum;
}
