/**
 * The decisions of known tokens, as a writer needs them before it has chosen a grid (FORMAT.md sections 5 and 8).
 *
 * Owns which trees a writer can need; the rows' arithmetic is `tree`'s.
 *
 * @module
 */

/** @typedef {import('./tree.mjs').Row} Row */
/** @typedef {import('./tree.mjs').Tree} Tree */

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
 * @param {Tree} tree for V ids
 * @returns {number} the token's log-prob
 * @throws {import('../errors.mjs').ModelError} a logit is not finite
 */
export function path(row, id, out, token, tree) {
  tree.takeRow(row);
  const { leaderId, lead } = tree;
  out.ids[token] = id;
  out.leads[token] = lead;
  out.isLeader[token] = Number(id === leaderId);
  out.leaderLogOdds[token] = tree.leaderLogOdds();
  if (lead > 1 - out.guard && id !== leaderId) {
    treePath(tree, id, false, out, out.others, token);
  }
  if (lead < 2 + out.guard) {
    treePath(tree, id, true, out, out.all, token);
  }
  return tree.logProb(id);
}

/**
 * @param {Tree} tree
 * @param {number} id
 * @param {boolean} withLeader
 * @param {LanePaths} out
 * @param {Float64Array} odds
 * @param {number} token
 */
function treePath(tree, id, withLeader, out, odds, token) {
  const depth = out.depth;
  const leaf = (1 << depth) + id;
  for (let d = 0; d < depth; d++) {
    const height = depth - 1 - d;
    const i = token * depth + d;
    out.bits[i] = (leaf >> height) & 1;
    const v = tree.logOdds(leaf >> (height + 1), withLeader);
    if (v !== undefined) {
      odds[i] = v;
      out.coded[i] = 1;
    }
  }
}
