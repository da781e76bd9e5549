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
import { writeWeights } from './exponential.mjs';

/**
 * One row of logits, `[V]`: as the graph gives them, or widened from 16 bits.
 *
 * @typedef {Float32Array | Float64Array} Row
 */

/**
 * The decisions of `n` known tokens. Trees are `[n, D]`, and stand only where a writer can need them (see `path`). Where `coded` is 0
 * the right half holds no id: the bit is 0 and nothing is coded.
 *
 * @typedef {object} LanePaths
 * @property {number} depth
 * @property {number} guard of the writer's eps
 * @property {Uint32Array} ids `[n]`
 * @property {Float64Array} leads `[n]`
 * @property {Uint8Array} isLeader `[n]`
 * @property {Float64Array} leaderLogOdds `[n]`
 * @property {Float64Array} others log-odds in the tree without the leader
 * @property {Float64Array} all log-odds in the tree of all ids
 * @property {Uint8Array} bits
 * @property {Uint8Array} coded
 */

// In place of the mass of a half that holds nothing but the leader that was left out.
const LOWEST_MASS = 2 ** -1000;

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
 * Finds a row's leader.
 *
 * @param {Row} row `[V]`
 * @returns {{ id: number, lead: number }}
 * @throws {ModelError} a logit is not finite
 */
export function leader(row) {
  let id = 0;
  let first = Number.NEGATIVE_INFINITY;
  let second = Number.NEGATIVE_INFINITY;
  // NaN for a NaN and for both infinities, and they stay NaN. Four of each, as one sum would wait for itself.
  let finite0 = 0;
  let finite1 = 0;
  let finite2 = 0;
  let finite3 = 0;
  for (let i = 0; i < row.length; i += 4) {
    const l0 = row[i];
    // Behind the end stands what cannot lead.
    const l1 = i + 1 < row.length ? row[i + 1] : l0;
    const l2 = i + 2 < row.length ? row[i + 2] : l0;
    const l3 = i + 3 < row.length ? row[i + 3] : l0;
    finite0 += l0 - l0;
    finite1 += l1 - l1;
    finite2 += l2 - l2;
    finite3 += l3 - l3;
    if (l0 > second || l1 > second || l2 > second || l3 > second) {
      // Seldom, after the first few.
      for (let j = i; j < i + 4 && j < row.length; j++) {
        if (row[j] > first) {
          second = first;
          first = row[j];
          id = j;
        } else if (row[j] > second) {
          second = row[j];
        }
      }
    }
  }
  if (finite0 + finite1 + finite2 + finite3 !== 0) refuseRow(row);
  return { id, lead: first - second };
}

/**
 * Room for the masses of all nodes of a tree, `[2^(D+1)]`, entry 0 unused.
 *
 * @param {number} vocabSize
 * @returns {Float64Array}
 */
export function newMasses(vocabSize) {
  return new Float64Array(2 << treeDepth(vocabSize));
}

/**
 * Writes the weights of a row, the leader's being 0, to the leaves.
 *
 * @param {Row} row `[V]`, finite
 * @param {number} leaderId
 * @param {Float64Array} masses of `newMasses`
 * @returns {number} the sum of the weights of all ids but the leader, whose weight is 1
 */
export function weigh(row, leaderId, masses) {
  const leaves = masses.length / 2;
  const maximum = row[leaderId];
  const before = writeWeights(row, maximum, 0, leaderId, masses, leaves);
  masses[leaves + leaderId] = 0;
  return before + writeWeights(row, maximum, leaderId + 1, row.length, masses, leaves);
}

/**
 * Log-odds of the leader against all others.
 *
 * @param {number} sum of `weigh`
 * @returns {number}
 */
export function leaderLogOdds(sum) {
  return -Math.log(sum);
}

/**
 * Sums the masses of all nodes from the leaves that `weigh` wrote.
 *
 * @param {Float64Array} masses
 * @param {number} leaderId
 * @param {boolean} withLeader whether the leader has its weight, or is left out
 */
export function sumMasses(masses, leaderId, withLeader) {
  const leaves = masses.length / 2;
  masses[leaves + leaderId] = Number(withLeader);
  for (let n = leaves - 1; n >= 1; n--) masses[n] = masses[2 * n] + masses[2 * n + 1];
}

/**
 * `ln(right half) - ln(left half)` at a node.
 *
 * @param {Float64Array} masses
 * @param {number} node
 * @returns {number}
 */
export function logOdds(masses, node) {
  const right = Math.max(masses[2 * node + 1], LOWEST_MASS);
  return Math.log(right) - Math.log(Math.max(masses[2 * node], LOWEST_MASS));
}

/**
 * Room for the decisions of `tokens` tokens.
 *
 * @param {number} tokens
 * @param {number} depth
 * @param {number} guard of the writer's eps
 * @returns {LanePaths}
 */
export function emptyLanePaths(tokens, depth, guard) {
  const decisions = tokens * depth;
  return {
    depth,
    guard,
    ids: new Uint32Array(tokens),
    leads: new Float64Array(tokens),
    isLeader: new Uint8Array(tokens),
    leaderLogOdds: new Float64Array(tokens),
    others: new Float64Array(decisions),
    all: new Float64Array(decisions),
    bits: new Uint8Array(decisions),
    coded: new Uint8Array(decisions),
  };
}

/**
 * The decisions of a known token, written to place `token` of `out`. A tree is built only where some offset of a grid can ask for
 * it: the threshold of a lead is 1 to 2, and a lead within the guard of it is not safe.
 *
 * @param {Row} row `[V]`
 * @param {number} id
 * @param {LanePaths} out
 * @param {number} token
 * @param {Float64Array} masses room for a tree
 * @returns {number} the token's log-prob
 * @throws {ModelError} a logit is not finite
 */
export function path(row, id, out, token, masses) {
  const { id: leaderId, lead } = leader(row);
  const sum = weigh(row, leaderId, masses);
  out.ids[token] = id;
  out.leads[token] = lead;
  out.isLeader[token] = Number(id === leaderId);
  out.leaderLogOdds[token] = leaderLogOdds(sum);
  if (lead > 1 - out.guard && id !== leaderId) {
    sumMasses(masses, leaderId, false);
    treePath(masses, id, row.length, out, out.others, token);
  }
  if (lead < 2 + out.guard) {
    sumMasses(masses, leaderId, true);
    treePath(masses, id, row.length, out, out.all, token);
  }
  return row[id] - row[leaderId] - Math.log(1 + sum);
}

/**
 * @param {Float64Array} masses
 * @param {number} id
 * @param {number} vocabSize
 * @param {LanePaths} out
 * @param {Float64Array} odds
 * @param {number} token
 */
function treePath(masses, id, vocabSize, out, odds, token) {
  const depth = out.depth;
  const end = (1 << depth) + vocabSize;
  const leaf = (1 << depth) + id;
  for (let d = 0; d < depth; d++) {
    const height = depth - 1 - d;
    const node = leaf >> (height + 1);
    const i = token * depth + d;
    out.bits[i] = (leaf >> height) & 1;
    if ((2 * node + 1) << height < end) {
      odds[i] = logOdds(masses, node);
      out.coded[i] = 1;
    }
  }
}

/**
 * Log-prob of one id.
 *
 * @param {Row} row
 * @param {number} id
 * @returns {number}
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
