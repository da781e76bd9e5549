/**
 * Grids of log-odds (FORMAT.md section 6) and what bits cost on them.
 *
 * Owns cells, offsets and probabilities; knows nothing of tokens or streams. Log-odds are in nats.
 *
 * @module
 */

import { PROBABILITY_TABLE, TABLE_ENTRIES } from './probability-table.mjs';

const TWO_OVER_PI = 2 / Math.PI;
// Covers what exp, ln, atan and the order of summation may differ by between two machines.
const SLACK = 2 ** -30;
// The probabilities end long before this; beyond it binary64 could not tell the position from a boundary near 1.
const LIMIT = 30;

/**
 * Cost of an event of probability `p` 65536ths, in 2^-16 bits.
 *
 * @param {number} p `1 .. 65535`
 * @returns {number}
 */
export function bitCost(p) {
  let x = p;
  let n = 1;
  while (x < 32768) {
    x *= 2;
    n += 1;
  }
  let f = 0;
  for (let i = 0; i < 16; i++) {
    x = (x * x) >>> 15;
    f *= 2;
    if (x >= 65536) {
      x >>>= 1;
      f += 1;
    }
  }
  return n * 65536 - f;
}

/**
 * Numerator of offset `k`, in 65536ths of a cell.
 *
 * @param {number} k
 * @returns {number}
 */
export function offsetNumerator(k) {
  return (k * 40503) % 65536;
}

/**
 * Place of log-odds on the axis on which cells are equally wide, 0 .. 1.
 *
 * @param {number} v
 * @returns {number}
 */
export function position(v) {
  return TWO_OVER_PI * Math.atan(Math.exp(Math.min(Math.max(v, -LIMIT), LIMIT) / 3));
}

/**
 * How far the log-odds of a reader within `eps` may lie from the writer's.
 *
 * @param {number} eps
 * @returns {number}
 */
export function guardOf(eps) {
  return 2 * eps + SLACK;
}

// The costs of bit 0 and of bit 1 by entry of the probability table.
const TABLE_COSTS = [
  Float64Array.from(PROBABILITY_TABLE, (p) => bitCost(65536 - p)),
  Float64Array.from(PROBABILITY_TABLE, bitCost),
];

/** A grid of `cells` cells that can be shifted by `offsets` offsets and withstands differences of `eps` nats. */
export class Grid {
  /** @type {Uint16Array | undefined} */
  #probabilities;
  /** @type {[Float64Array, Float64Array] | undefined} */
  #costs;

  /**
   * @param {number} cells
   * @param {number} offsets
   * @param {number} eps
   */
  constructor(cells, offsets, eps) {
    this.cells = cells;
    this.offsets = offsets;
    this.eps = eps;
    this.guard = guardOf(eps);
    this.shifts = Float64Array.from({ length: offsets }, (_, k) => offsetNumerator(k) / 65536);
  }

  /**
   * Cell of log-odds under offset `k`, `-1 .. cells`.
   *
   * @param {number} v
   * @param {number} k
   * @returns {number}
   */
  cell(v, k) {
    return Math.floor(this.cells * position(v) - this.shifts[k]);
  }

  /**
   * Whether every reader whose log-odds lie within `guard` finds the same cell.
   *
   * @param {number} v
   * @param {number} k
   * @param {number} guard
   * @returns {boolean}
   */
  isSafe(v, k, guard) {
    return this.cell(v - guard, k) === this.cell(v + guard, k);
  }

  /**
   * How far a reader's log-odds of the leader may lie from the writer's.
   *
   * @param {number} v
   * @returns {number}
   */
  leaderGuard(v) {
    if (this.eps > 0.25) return this.guard;
    return Math.min(2 * this.eps, this.eps + this.eps * (1 + 4 * this.eps) * Math.exp(-Math.abs(v))) + SLACK;
  }

  /**
   * Whether a row with this lead has its token coded as leader or not, under offset `k`.
   *
   * @param {number} lead
   * @param {number} k
   * @returns {boolean}
   */
  leads(lead, k) {
    return lead > 1 + this.shifts[k];
  }

  /**
   * Whether every reader within eps finds the same of `leads`, and the same leader.
   *
   * @param {number} lead
   * @param {number} k
   * @returns {boolean}
   */
  leadsSafely(lead, k) {
    return Math.abs(lead - (1 + this.shifts[k])) > this.guard;
  }

  /**
   * Index into the table of the middle of cell `c`.
   *
   * @param {number} c
   * @param {number} k
   * @returns {number}
   */
  probabilityIndex(c, k) {
    const edge = this.cells * 65536;
    const low = c * 65536 + offsetNumerator(k);
    const high = low + 65536;
    const middle = Math.min(Math.max(low, 0), edge) + Math.min(Math.max(high, 0), edge);
    return Math.min(Math.floor(middle / (32 * this.cells)), TABLE_ENTRIES - 1);
  }

  /**
   * Probability of bit 1 in cell `c`, in 65536ths.
   *
   * @param {number} c
   * @param {number} k
   * @returns {number}
   */
  probability(c, k) {
    return PROBABILITY_TABLE[this.probabilityIndex(c, k)];
  }

  /**
   * `probability(c, k)` of all cells and offsets, `[cells + 2, offsets]`; row 0 is cell -1.
   *
   * @returns {Uint16Array}
   */
  probabilities() {
    if (this.#probabilities === undefined) {
      this.#probabilities = new Uint16Array((this.cells + 2) * this.offsets);
      let i = 0;
      for (let c = -1; c <= this.cells; c++) {
        for (let k = 0; k < this.offsets; k++) this.#probabilities[i++] = this.probability(c, k);
      }
    }
    return this.#probabilities;
  }

  /**
   * What bit 0 and bit 1 cost in all cells and under all offsets, in 2^-16 bits, each `[cells + 2, offsets]`; row 0 is cell -1.
   *
   * @returns {[Float64Array, Float64Array]}
   */
  costs() {
    if (this.#costs === undefined) {
      const zeros = new Float64Array((this.cells + 2) * this.offsets);
      const ones = new Float64Array(zeros.length);
      let i = 0;
      for (let c = -1; c <= this.cells; c++) {
        for (let k = 0; k < this.offsets; k++, i++) {
          const entry = this.probabilityIndex(c, k);
          zeros[i] = TABLE_COSTS[0][entry];
          ones[i] = TABLE_COSTS[1][entry];
        }
      }
      this.#costs = [zeros, ones];
    }
    return this.#costs;
  }
}
