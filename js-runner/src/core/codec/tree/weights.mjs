/**
 * A row's leader, and its weights: e to the power of each logit less the largest.
 *
 * Owns the two passes over a row that every token costs, and the exponential: a table and a short polynomial, more than three times as fast
 * as `Math.exp`, which is a call for each value.
 *
 * @module
 */

import { ModelError } from '../../errors.mjs';

/** @typedef {import('../tree.mjs').Row} Row */

// Below this a weight no longer matters, but must stay above 0 so that no mass is.
const LOWEST_EXPONENT = -600;
// The table of fractions has so many entries for one power of two: as many as stay in a processor's nearest cache.
const STEP_BITS = 11;
const STEPS = 1 << STEP_BITS;
const STEP = Math.LN2 / STEPS;
const STEPS_PER_NAT = STEPS / Math.LN2;
// 2 to the power of 0, -1/2048, -2/2048, ...
const FRACTIONS = Float64Array.from({ length: STEPS }, (_, i) => Math.exp((-i / STEPS) * Math.LN2));
// 2 to the power of 0, -1, -2, ... as far as a weight needs.
const POWERS = Float64Array.from({ length: 868 }, (_, n) => 2 ** -n);

/**
 * Finds a row's leader, the smallest id with the largest logit, and how far the next logit is below it, in nats.
 *
 * @param {Row} row `[V]`
 * @returns {{ id: number, lead: number }}
 * @throws {ModelError} a logit is not finite
 */
export function leader(row) {
  let id = 0;
  let first = Number.NEGATIVE_INFINITY;
  let second = Number.NEGATIVE_INFINITY;
  // NaN for a NaN and for both infinities, and it stays NaN.
  let zero = 0;
  const whole = row.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const l0 = row[i];
    const l1 = row[i + 1];
    const l2 = row[i + 2];
    const l3 = row[i + 3];
    // Bracketed so that one step waits for the one before it only once.
    zero += l0 - l0 + (l1 - l1) + (l2 - l2 + (l3 - l3));
    if (l0 > second || l1 > second || l2 > second || l3 > second) {
      // Seldom, after the first few.
      for (let j = i; j < i + 4; j++) take(j);
    }
  }
  for (let j = whole; j < row.length; j++) {
    zero += row[j] - row[j];
    take(j);
  }
  if (zero !== 0) refuseRow(row);
  return { id, lead: first - second };

  /** @param {number} place */
  function take(place) {
    const logit = row[place];
    if (logit > first) {
      second = first;
      first = logit;
      id = place;
    } else if (logit > second) {
      second = logit;
    }
  }
}

/**
 * The weight of a logit that lies `below` under the maximum, at least that of 600 below it.
 *
 * `2^(-k/2048) p(r)` with `x = -k/2048 ln 2 + r` and the Taylor polynomial of degree 3 in `|r| <= ln 2 / 4096`: within 1e-15 of the
 * value, and two ulps of `below`, and exactly 1 for the maximum.
 *
 * @param {number} below at most 0
 * @returns {number}
 */
function weight(below) {
  const x = below < LOWEST_EXPONENT ? LOWEST_EXPONENT : below;
  // The nearest whole number; x is not above 0.
  const k = (0.5 - x * STEPS_PER_NAT) | 0;
  const r = x + k * STEP;
  return (1 + r + r * r * (1 / 2 + r * (1 / 6))) * (FRACTIONS[k & (STEPS - 1)] * POWERS[k >> STEP_BITS]);
}

/**
 * The sum of the weights of the row's logits from place `start` up to `end`.
 *
 * @param {Row} row `[V]`, finite
 * @param {number} maximum
 * @param {number} start
 * @param {number} end
 * @returns {number}
 */
export function sumWeights(row, maximum, start, end) {
  let sum = 0;
  for (let i = start; i < end; i++) sum += weight(row[i] - maximum);
  return sum;
}

/**
 * Writes the weights of the row's logits from place `start` up to `end` to `out`, from entry `first` on.
 *
 * @param {Row} row `[V]`, finite
 * @param {number} maximum
 * @param {number} start
 * @param {number} end
 * @param {Float64Array} out
 * @param {number} first
 */
export function writeWeights(row, maximum, start, end, out, first) {
  for (let i = start; i < end; i++) out[first + i - start] = weight(row[i] - maximum);
}

/**
 * @param {Row} row
 * @returns {never}
 */
function refuseRow(row) {
  const id = row.findIndex((l) => !Number.isFinite(l));
  throw new ModelError(
    `the model gave the logit ${row[id]} for id ${id}`,
    'the graph does not work on this runtime; try another variant or --graph-optimization disabled',
  );
}
