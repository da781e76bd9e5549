/**
 * The tree of decisions (FORMAT.md section 5): rows of logits to masses, log-odds and log-probs.
 *
 * Owns the arithmetic on rows, nothing else. Everything computed is binary64, in nats.
 *
 * Masses are kept as a heap: entry 1 is the root, entry `n` has the children `2n` and `2n + 1`, entry `2^D + i` is the leaf of id `i`.
 *
 * @module
 */

import { ModelError } from '../errors.mjs';

/**
 * One row of logits, `[V]`: as the graph gives them, or widened from 16 bits.
 *
 * @typedef {Float32Array | Float64Array} Row
 */

/**
 * The decisions of `n` known tokens, each `[n, D]`. Where `coded` is 0 the right half holds no id: the bit is 0 and nothing is coded.
 *
 * @typedef {object} Path
 * @property {number} depth
 * @property {Uint8Array} bits
 * @property {Float64Array} logOdds
 * @property {Uint8Array} coded
 */

// Below this a weight no longer matters, but must stay above 0 so that no mass is.
const LOWEST_EXPONENT = -600;

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
 * Masses of all nodes of the tree over a row: `[V]` to a heap `[2^(D+1)]`, entry 0 unused.
 *
 * @param {Row} row
 * @param {Float64Array} [out] the result of an earlier call for as many logits; it is written over
 * @returns {Float64Array}
 * @throws {ModelError} a logit is not finite
 */
export function treeMasses(row, out) {
  const vocabSize = row.length;
  const leaves = 1 << treeDepth(vocabSize);
  const masses = out ?? new Float64Array(2 * leaves);
  const m = rowMaximum(row);
  for (let i = 0; i < vocabSize; i++) masses[leaves + i] = Math.exp(Math.max(row[i] - m, LOWEST_EXPONENT));
  for (let n = leaves - 1; n >= 1; n--) masses[n] = masses[2 * n] + masses[2 * n + 1];
  return masses;
}

/**
 * `ln(right half) - ln(left half)` at a node.
 *
 * @param {Float64Array} masses
 * @param {number} node
 * @returns {number}
 */
export function logOdds(masses, node) {
  return Math.log(masses[2 * node + 1]) - Math.log(masses[2 * node]);
}

/**
 * Room for the decisions of `tokens` tokens.
 *
 * @param {number} tokens
 * @param {number} depth
 * @returns {Path}
 */
export function emptyPath(tokens, depth) {
  const decisions = tokens * depth;
  return {
    depth,
    bits: new Uint8Array(decisions),
    logOdds: new Float64Array(decisions),
    coded: new Uint8Array(decisions),
  };
}

/**
 * The decisions of a known token, written to place `token` of `out`.
 *
 * @param {Float64Array} masses `[2^(D+1)]`
 * @param {number} id
 * @param {number} vocabSize
 * @param {Path} out
 * @param {number} token
 */
export function path(masses, id, vocabSize, out, token) {
  const depth = out.depth;
  const end = (1 << depth) + vocabSize;
  const leaf = (1 << depth) + id;
  for (let d = 0; d < depth; d++) {
    const height = depth - 1 - d;
    const node = leaf >> (height + 1);
    const i = token * depth + d;
    out.bits[i] = (leaf >> height) & 1;
    if ((2 * node + 1) << height < end) {
      out.logOdds[i] = logOdds(masses, node);
      out.coded[i] = 1;
    }
  }
}

/**
 * Log-prob of one id.
 *
 * @param {Row} row
 * @param {number} id
 * @param {Float64Array} [masses] of the row, where they are at hand: the root's is the sum
 * @returns {number}
 */
export function logProb(row, id, masses) {
  const m = rowMaximum(row);
  return row[id] - m - (masses ? Math.log(masses[1]) : logSum(row, m));
}

/**
 * Log-probs of all ids, `[V]` to `[V]`.
 *
 * @param {Row} row
 * @param {Float64Array} [out] written over
 * @returns {Float64Array}
 */
export function logProbs(row, out = new Float64Array(row.length)) {
  const m = rowMaximum(row);
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

/**
 * @param {Row} row
 * @returns {number}
 */
function rowMaximum(row) {
  let m = Number.NEGATIVE_INFINITY;
  let finite = true;
  for (let i = 0; i < row.length; i++) {
    const l = row[i];
    // l - l is NaN for a NaN and for both infinities.
    if (l - l !== 0) finite = false;
    if (l > m) m = l;
  }
  if (!finite) {
    const id = row.findIndex((l) => !Number.isFinite(l));
    throw new ModelError(
      `the model gave the logit ${row[id]} for id ${id}`,
      'the graph does not work on this runtime; try another variant or --graph-optimization disabled',
    );
  }
  return m;
}
