/**
 * The tree of decisions (FORMAT.md section 5): rows of logits to log-odds and log-probs.
 *
 * Owns the masses of a row's tree, whose passes over the row are those of `tree/weights`; and the log-probs that the project states, which
 * take the engine's own exponential. Everything computed is binary64, in nats.
 *
 * No token asks for more than one way from the root to a leaf. So the tree has two storeys: above, the masses of spans of 64 neighbouring
 * ids, which one pass over the row gives; below, those of the one span that the way leads through, made when it is asked for. Both are
 * kept without the leader, whose weight of 1 is added to the nodes above it where it belongs to the tree.
 *
 * @module
 */

import { ModelError } from '../errors.mjs';
import { leader, sumWeights, writeWeights } from './tree/weights.mjs';

/**
 * One row of logits, `[V]`: as the graph gives them, or widened from 16 bits.
 *
 * @typedef {Float32Array | Float64Array} Row
 */

// In place of the mass of a half that holds nothing but the leader that was left out.
const LOWEST_MASS = 2 ** -1000;
// A span has 2^6 ids, or all ids of a tree that has fewer.
const SPAN_BITS = 6;

/**
 * The smallest D with 2^D >= vocabSize.
 *
 * @param {number} vocabSize
 * @returns {number}
 */
export function treeDepth(vocabSize) {
  return 32 - Math.clz32(vocabSize - 1);
}

/**
 * One row at a time, and the tree over it where it is asked for. Nodes are numbered as in a heap: 1 is the root, `n` has the children `2n`
 * and `2n + 1`, `2^D + i` is the leaf of id `i`.
 */
export class Tree {
  #spanBits;
  /** Nodes down to the spans, a heap: `[2 * spans]`. @type {Float64Array} */
  #above;
  /** Nodes of one span down to the leaves, a heap: `[2 * ids of a span]`. @type {Float64Array} */
  #below;
  #spans;
  /** The span whose nodes are in `below`, or none. */
  #inside = -1;
  /** Whether the nodes of `above` that are not spans are summed. */
  #summed = false;
  /** @type {Row} */
  #row = new Float32Array(0);
  #maximum = 0;
  #others = 0;
  /** Of the row's leader. */
  leaderId = 0;
  /** How far the largest logit is above the next, in nats. */
  lead = 0;

  /** @param {number} vocabSize at least 2 */
  constructor(vocabSize) {
    this.vocabSize = vocabSize;
    this.depth = treeDepth(vocabSize);
    this.#spanBits = Math.min(SPAN_BITS, this.depth);
    this.#spans = 1 << (this.depth - this.#spanBits);
    this.#above = new Float64Array(2 * this.#spans);
    this.#below = new Float64Array(2 << this.#spanBits);
  }

  /**
   * Takes in a row; everything else then speaks of it. The row must stay as it is while it does.
   *
   * @param {Row} row `[V]`
   * @throws {ModelError} a logit is not finite, or the row has another length
   */
  takeRow(row) {
    if (row.length !== this.vocabSize) {
      throw new ModelError(
        `a row of ${row.length} logits for a vocabulary of ${this.vocabSize}`,
        'take graph and config.json from the same model',
      );
    }
    const { id, lead } = leader(row);
    this.#row = row;
    this.leaderId = id;
    this.lead = lead;
    this.#maximum = row[id];
    this.#summed = false;
    this.#inside = -1;
    let others = 0;
    const ids = 1 << this.#spanBits;
    for (let span = 0, start = 0; start < this.vocabSize; span++, start += ids) {
      const mass = this.#massWithoutLeader(start, Math.min(start + ids, this.vocabSize));
      this.#above[this.#spans + span] = mass;
      others += mass;
    }
    this.#others = others;
  }

  /**
   * Log-odds of the leader against all others.
   *
   * @returns {number}
   */
  leaderLogOdds() {
    // The logarithm of the leader's weight is 0.
    return -Math.log(this.#others);
  }

  /**
   * The row's log-prob of an id.
   *
   * @param {number} id
   * @returns {number}
   */
  logProb(id) {
    return this.#row[id] - this.#maximum - Math.log(1 + this.#others);
  }

  /**
   * `ln(right half) - ln(left half)` at a node above the leaves, or nothing where the right half holds no id: the bit is 0 there, and
   * nothing is coded.
   *
   * @param {number} node
   * @param {boolean} withLeader in the tree of all ids, or in that without the leader
   * @returns {number | undefined}
   */
  logOdds(node, withLeader) {
    const leaves = 1 << this.depth;
    const level = 31 - Math.clz32(node);
    const height = this.depth - 1 - level;
    if (((2 * node + 1) << height) - leaves >= this.vocabSize) return undefined;
    // Levels below the root of the node's span.
    const deeper = level - (this.depth - this.#spanBits);
    let masses;
    let left;
    if (deeper < 0) {
      masses = this.#sumAbove();
      left = 2 * node;
    } else {
      masses = this.#takeSpan((node >> deeper) - this.#spans);
      left = 2 * ((1 << deeper) | (node & ((1 << deeper) - 1)));
    }
    const leaderHalf = withLeader ? ((leaves + this.leaderId) >> height) - 2 * node : -1;
    const leftMass = masses[left] + Number(leaderHalf === 0);
    const rightMass = masses[left + 1] + Number(leaderHalf === 1);
    return Math.log(Math.max(rightMass, LOWEST_MASS)) - Math.log(Math.max(leftMass, LOWEST_MASS));
  }

  #sumAbove() {
    if (!this.#summed) {
      sumHeap(this.#above);
      this.#summed = true;
    }
    return this.#above;
  }

  /** @param {number} span */
  #takeSpan(span) {
    if (span === this.#inside) return this.#below;
    this.#inside = span;
    const ids = 1 << this.#spanBits;
    const start = span * ids;
    this.#below.fill(0, ids);
    writeWeights(this.#row, this.#maximum, start, Math.min(start + ids, this.vocabSize), this.#below, ids);
    if (this.leaderId >> this.#spanBits === span) this.#below[ids + this.leaderId - start] = 0;
    sumHeap(this.#below);
    return this.#below;
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  #massWithoutLeader(start, end) {
    const { leaderId } = this;
    if (leaderId < start || leaderId >= end) return sumWeights(this.#row, this.#maximum, start, end);
    const before = sumWeights(this.#row, this.#maximum, start, leaderId);
    return before + sumWeights(this.#row, this.#maximum, leaderId + 1, end);
  }
}

/**
 * From the leaves up.
 *
 * @param {Float64Array} masses a heap
 */
function sumHeap(masses) {
  for (let n = masses.length / 2 - 1; n >= 1; n--) masses[n] = masses[2 * n] + masses[2 * n + 1];
}

/**
 * Log-prob of one id.
 *
 * @param {Row} row
 * @param {number} id
 * @returns {number}
 * @throws {ModelError} a logit is not finite
 */
export function logProb(row, id) {
  const m = row[leader(row).id];
  return row[id] - m - logSum(row, m);
}

/**
 * Log-probs of all ids, `[V]` to `[V]`.
 *
 * @param {Row} row
 * @param {Float64Array} [out] written over
 * @returns {Float64Array}
 * @throws {ModelError} a logit is not finite
 */
export function logProbs(row, out = new Float64Array(row.length)) {
  const m = row[leader(row).id];
  const sum = logSum(row, m);
  for (let i = 0; i < row.length; i++) out[i] = row[i] - m - sum;
  return out;
}

/**
 * @param {Row} row
 * @param {number} m
 * @returns {number}
 */
function logSum(row, m) {
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i] - m);
  return Math.log(sum);
}
