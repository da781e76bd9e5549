/**
 * Lanes to streams: the writer's choice of parameters, and the bits of a lane (FORMAT.md sections 7 and 8).
 *
 * @module
 */

import { BitEncoder } from '../arithmetic-coder.mjs';
import { Grid } from '../grid.mjs';
import { candidates } from './candidates.mjs';
import { blockCosts, chooseOffsets, mergePairs, rawBlockCost } from './costs.mjs';
import { OffsetIndex, RAW_PROBABILITY } from './offset-index.mjs';

/** @typedef {import('./candidates.mjs').Parameters} Parameters */
/** @typedef {import('../lane-paths.mjs').LanePaths} LanePaths */

/**
 * N and B for a frame of these lanes: the first of the cheapest candidates.
 *
 * @param {LanePaths[]} lanes
 * @param {number} offsets
 * @param {number} eps
 * @returns {Parameters}
 */
export function chooseParameters(lanes, offsets, eps) {
  const choices = candidates(eps);
  const totals = new Map(choices.map((choice) => [choice, 0]));
  for (const cells of new Set(choices.map((choice) => choice.cells))) {
    const grid = new Grid(cells, offsets, eps);
    const ofGrid = choices.filter((choice) => choice.cells === cells);
    for (const lane of lanes) {
      let costs = blockCosts(lane, grid, ofGrid[0].block);
      for (const choice of ofGrid) {
        // Each B is twice the one before.
        if (choice !== ofGrid[0]) costs = mergePairs(costs, offsets);
        const { cost } = chooseOffsets(costs, offsets, rawBlockCost(lane, choice.block));
        totals.set(choice, Number(totals.get(choice)) + cost);
      }
    }
  }
  const least = Math.min(...totals.values());
  return /** @type {Parameters} */ (choices.find((choice) => totals.get(choice) === least));
}

/**
 * The stream of one lane.
 *
 * @param {LanePaths} lane
 * @param {Grid} grid
 * @param {number} block
 * @returns {Uint8Array}
 */
export function encodeLane(lane, grid, block) {
  const { offsets } = grid;
  const { depth, ids } = lane;
  const { chosen } = chooseOffsets(blockCosts(lane, grid, block), offsets, rawBlockCost(lane, block));
  const probabilities = grid.probabilities();
  const index = new OffsetIndex(offsets);
  const encoder = new BitEncoder();
  /** @type {(v: number, bit: number, k: number) => void} */
  const put = (v, bit, k) => encoder.encode(bit, probabilities[(grid.cell(v, k) + 1) * offsets + k]);
  for (const [b, k] of chosen.entries()) {
    index.learn(k, encoder);
    const end = Math.min((b + 1) * block, ids.length);
    for (let t = b * block; t < end; t++) {
      if (k === offsets) {
        for (let d = depth - 1; d >= 0; d--) encoder.encode((ids[t] >> d) & 1, RAW_PROBABILITY);
        continue;
      }
      const leads = grid.leads(lane.leads[t], k);
      if (leads) put(lane.leaderLogOdds[t], lane.isLeader[t], k);
      if (leads && lane.isLeader[t]) continue;
      const odds = leads ? lane.others : lane.all;
      for (let i = t * depth; i < (t + 1) * depth; i++) {
        if (lane.coded[i]) put(odds[i], lane.bits[i], k);
      }
    }
  }
  return encoder.finish();
}
