/** What decisions say of a token. */

import assert from 'node:assert/strict';

/**
 * The log-prob that the decisions of a lane's only token give it in a tree.
 *
 * @param {import('../../src/core/codec/lane-paths.mjs').LanePaths} lane
 * @param {Float64Array} odds
 */
export function sumOfDecisions(lane, odds) {
  let sum = 0;
  for (const [d, bit] of lane.bits.entries()) {
    if (lane.coded[d]) sum -= Math.log1p(Math.exp(bit ? -odds[d] : odds[d]));
    else assert.equal(bit, 0);
  }
  return sum;
}
