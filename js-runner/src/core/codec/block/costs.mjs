/**
 * What blocks cost at each offset, and the offsets that are cheapest (FORMAT.md section 8).
 *
 * Owns sums of bit costs; writes no bit.
 *
 * @module
 */

import { bitCost, position } from '../grid.mjs';
import { OffsetIndex, RAW_PROBABILITY } from './offset-index.mjs';

/** @typedef {import('../grid.mjs').Grid} Grid */
/** @typedef {import('../lane-paths.mjs').LanePaths} LanePaths */

/**
 * Adds the cost of one decision under every offset to `sums` from `at` on; infinite where it is unsafe.
 *
 * @param {Grid} grid
 * @param {number} v
 * @param {number} bit
 * @param {number} guard
 * @param {Float64Array} sums
 * @param {number} at
 */
function addDecision(grid, v, bit, guard, sums, at) {
  const { cells, offsets, shifts } = grid;
  const below = cells * position(v - guard);
  const above = cells * position(v + guard);
  const ofCell = grid.costs()[bit];
  for (let k = 0; k < offsets; k++) {
    const cell = Math.floor(below - shifts[k]);
    // Where it is safe both are the cell itself.
    sums[at + k] +=
      cell === Math.floor(above - shifts[k]) ? ofCell[(cell + 1) * offsets + k] : Number.POSITIVE_INFINITY;
  }
}

/**
 * Costs of the decisions of every block under every offset, `[blocks, offsets]`; infinite where one is unsafe.
 *
 * @param {LanePaths} lane
 * @param {Grid} grid
 * @param {number} block
 * @returns {Float64Array}
 */
export function blockCosts(lane, grid, block) {
  const { offsets, guard } = grid;
  const { depth, leads } = lane;
  const costs = new Float64Array(Math.ceil(leads.length / block) * offsets);
  const asLeader = new Float64Array(offsets);
  const inTree = new Float64Array(offsets);
  /** @type {(odds: Float64Array, t: number, sums: Float64Array, at: number) => void} */
  const addTree = (odds, t, sums, at) => {
    for (let i = t * depth; i < (t + 1) * depth; i++) {
      if (lane.coded[i]) addDecision(grid, odds[i], lane.bits[i], guard, sums, at);
    }
  };
  /** @type {(t: number, sums: Float64Array, at: number) => void} */
  const addLeader = (t, sums, at) => {
    const v = lane.leaderLogOdds[t];
    addDecision(grid, v, lane.isLeader[t], grid.leaderGuard(v), sums, at);
    if (!lane.isLeader[t]) addTree(lane.others, t, sums, at);
  };
  for (let t = 0; t < leads.length; t++) {
    const row = Math.floor(t / block) * offsets;
    const lead = leads[t];
    if (lead > 2 + guard) {
      addLeader(t, costs, row);
    } else if (lead < 1 - guard) {
      addTree(lane.all, t, costs, row);
    } else {
      asLeader.fill(0);
      inTree.fill(0);
      addLeader(t, asLeader, 0);
      addTree(lane.all, t, inTree, 0);
      for (let k = 0; k < offsets; k++) {
        if (!grid.leadsSafely(lead, k)) costs[row + k] = Number.POSITIVE_INFINITY;
        else costs[row + k] += grid.leads(lead, k) ? asLeader[k] : inTree[k];
      }
    }
  }
  return costs;
}

/**
 * The offset index of each block, and the cost of the lane.
 *
 * @param {Float64Array} costs `[blocks, offsets]`
 * @param {number} offsets
 * @param {(block: number) => number} rawCost what the raw ids of a block cost
 * @returns {{ chosen: Uint8Array, cost: number }}
 */
export function chooseOffsets(costs, offsets, rawCost) {
  const index = new OffsetIndex(offsets);
  const chosen = new Uint8Array(costs.length / offsets);
  let cost = 0;
  for (let b = 0; b < chosen.length; b++) {
    let best = Number.POSITIVE_INFINITY;
    let going = 0;
    for (let k = 0; k <= offsets; k++) {
      const sum = going + index.stop[k] + (k < offsets ? costs[b * offsets + k] : rawCost(b));
      if (sum < best) {
        best = sum;
        chosen[b] = k;
      }
      going += index.goOn[k];
    }
    cost += best;
    index.learn(chosen[b]);
  }
  return { chosen, cost };
}

/**
 * What the raw ids of each block of a lane cost.
 *
 * @param {LanePaths} lane
 * @param {number} block
 * @returns {(block: number) => number}
 */
export function rawBlockCost(lane, block) {
  const tokens = lane.ids.length;
  const perToken = lane.depth * bitCost(RAW_PROBABILITY);
  return (b) => Math.min(block, tokens - b * block) * perToken;
}

/**
 * Costs by block to costs by blocks of twice the length.
 *
 * @param {Float64Array} costs `[blocks, offsets]`
 * @param {number} offsets
 * @returns {Float64Array}
 */
export function mergePairs(costs, offsets) {
  const blocks = costs.length / offsets;
  const merged = new Float64Array(Math.ceil(blocks / 2) * offsets);
  for (let b = 0; b < blocks; b++) {
    const row = (b >> 1) * offsets;
    for (let k = 0; k < offsets; k++) merged[row + k] += costs[b * offsets + k];
  }
  return merged;
}
