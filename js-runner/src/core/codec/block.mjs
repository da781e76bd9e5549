/**
 * Lanes as blocks that share a grid offset (FORMAT.md sections 7 and 8).
 *
 * Owns the writer's choices (N, B, offsets) and the bits of a lane's stream; gets log-odds from `tree` and knows no files.
 *
 * @module
 */

import { FormatError } from '../errors.mjs';
import { bitCost, Grid, position } from './grid.mjs';
import { AdaptiveBit, BitDecoder, BitEncoder } from './range-coder.mjs';
import { leader, leaderLogOdds, logOdds, treeDepth, treeMasses } from './tree.mjs';

/** @typedef {import('./tree.mjs').Path} Path */
/** @typedef {import('./tree.mjs').Row} Row */
/** @typedef {{ cells: number, block: number }} Candidate */

const CELL_LADDER = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];
const SMALL_BLOCKS = [4, 8, 16, 32, 64];
const LARGE_BLOCKS = [64, 128, 256, 512, 1024, 2048, 4096];
const COARSE_CELLS = 12;
const RAW_PROBABILITY = 32768;
const RAW_BIT_COST = 65536;

/**
 * The choices of N and B that a writer compares, in the order in which the first of equals wins.
 *
 * @param {number} eps
 * @returns {Candidate[]}
 */
export function candidates(eps) {
  const enough = CELL_LADDER.findIndex((n) => n * n * n * eps >= 1);
  const place = enough < 0 ? CELL_LADDER.length - 1 : enough;
  const blocks = CELL_LADDER[place] <= COARSE_CELLS ? SMALL_BLOCKS : LARGE_BLOCKS;
  return CELL_LADDER.slice(Math.max(place - 1, 0), place + 2).flatMap((cells) =>
    blocks.map((block) => ({ cells, block })),
  );
}

/** The adaptive unary code of a block's offset index, `0 .. offsets`; `offsets` is the escape. */
class OffsetIndex {
  /** @param {number} offsets */
  constructor(offsets) {
    this.bits = Array.from({ length: offsets }, () => new AdaptiveBit());
    // What stopping and going on cost at each bit now; the escape has no bit of its own.
    this.stop = new Float64Array(offsets + 1).fill(bitCost(RAW_PROBABILITY), 0, offsets);
    this.goOn = new Float64Array(offsets + 1).fill(bitCost(RAW_PROBABILITY), 0, offsets);
  }

  /**
   * Learns index `k`; with an encoder, codes it too.
   *
   * @param {number} k
   * @param {BitEncoder} [encoder]
   */
  learn(k, encoder) {
    for (let i = 0; i <= k && i < this.bits.length; i++) {
      const bit = Number(i < k);
      encoder?.encode(bit, this.bits[i].probability());
      this.bits[i].update(bit);
      const p = this.bits[i].probability();
      this.goOn[i] = bitCost(p);
      this.stop[i] = bitCost(65536 - p);
    }
  }

  /**
   * Reads an index, and learns it.
   *
   * @param {BitDecoder} decoder
   * @returns {number}
   */
  decode(decoder) {
    for (const [i, adaptive] of this.bits.entries()) {
      const bit = decoder.decode(adaptive.probability());
      adaptive.update(bit);
      if (!bit) return i;
    }
    return this.bits.length;
  }
}

/** What decisions cost on one grid. */
class CostSheet {
  #grid;
  #ofBit;

  /** @param {Grid} grid */
  constructor(grid) {
    const entries = (grid.cells + 2) * grid.offsets;
    this.#grid = grid;
    this.#ofBit = [new Float64Array(entries), new Float64Array(entries)];
    for (const [i, p] of grid.probabilities().entries()) {
      this.#ofBit[0][i] = bitCost(65536 - p);
      this.#ofBit[1][i] = bitCost(p);
    }
  }

  /**
   * Adds the cost of one decision under every offset to `sums` from `at` on; infinite where it is unsafe.
   *
   * @param {number} v
   * @param {number} bit
   * @param {number} guard
   * @param {Float64Array} sums
   * @param {number} at
   */
  add(v, bit, guard, sums, at) {
    const { cells, offsets, shifts } = this.#grid;
    const below = cells * position(v - guard);
    const above = cells * position(v + guard);
    const ofCell = this.#ofBit[bit];
    for (let k = 0; k < offsets; k++) {
      const cell = Math.floor(below - shifts[k]);
      // Where it is safe both are the cell itself.
      sums[at + k] +=
        cell === Math.floor(above - shifts[k]) ? ofCell[(cell + 1) * offsets + k] : Number.POSITIVE_INFINITY;
    }
  }
}

/**
 * Costs of the decisions of every block under every offset, `[blocks, offsets]`; infinite where one is unsafe.
 *
 * @param {Path} lane
 * @param {Grid} grid
 * @param {number} block
 * @returns {Float64Array}
 */
function blockCosts(lane, grid, block) {
  const { offsets, guard } = grid;
  const { depth, leads } = lane;
  const costs = new Float64Array(Math.ceil(leads.length / block) * offsets);
  const sheet = new CostSheet(grid);
  const asLeader = new Float64Array(offsets);
  const inTree = new Float64Array(offsets);
  /** @type {(odds: Float64Array, t: number, sums: Float64Array, at: number) => void} */
  const addTree = (odds, t, sums, at) => {
    for (let i = t * depth; i < (t + 1) * depth; i++) {
      if (lane.coded[i]) sheet.add(odds[i], lane.bits[i], guard, sums, at);
    }
  };
  /** @type {(t: number, sums: Float64Array, at: number) => void} */
  const addLeader = (t, sums, at) => {
    const v = lane.leaderLogOdds[t];
    sheet.add(v, lane.isLeader[t], grid.leaderGuard(v), sums, at);
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
function chooseOffsets(costs, offsets, rawCost) {
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
 * @param {Path} lane
 * @param {number} block
 * @returns {(block: number) => number}
 */
function rawBlockCost(lane, block) {
  const tokens = lane.ids.length;
  return (b) => Math.min(block, tokens - b * block) * lane.depth * RAW_BIT_COST;
}

/**
 * Costs by block to costs by blocks of twice the length.
 *
 * @param {Float64Array} costs `[blocks, offsets]`
 * @param {number} offsets
 * @returns {Float64Array}
 */
function mergePairs(costs, offsets) {
  const blocks = costs.length / offsets;
  const merged = new Float64Array(Math.ceil(blocks / 2) * offsets);
  for (let b = 0; b < blocks; b++) {
    const row = (b >> 1) * offsets;
    for (let k = 0; k < offsets; k++) merged[row + k] += costs[b * offsets + k];
  }
  return merged;
}

/**
 * N and B for a frame of these lanes: the first of the cheapest candidates.
 *
 * @param {Path[]} lanes
 * @param {number} offsets
 * @param {number} eps
 * @returns {Candidate}
 */
export function chooseParameters(lanes, offsets, eps) {
  const choices = candidates(eps);
  const totals = new Float64Array(choices.length);
  /** @type {Float64Array[]} */
  let costs = [];
  for (const [i, { cells, block }] of choices.entries()) {
    // The candidates of one N follow each other, and each B is twice the one before.
    const grid = new Grid(cells, offsets, eps);
    const isFirstBlock = cells !== choices[i - 1]?.cells;
    costs = lanes.map((lane, l) => (isFirstBlock ? blockCosts(lane, grid, block) : mergePairs(costs[l], offsets)));
    for (const [l, lane] of lanes.entries()) {
      totals[i] += chooseOffsets(costs[l], offsets, rawBlockCost(lane, block)).cost;
    }
  }
  return choices[totals.indexOf(Math.min(...totals))];
}

/**
 * The stream of one lane.
 *
 * @param {Path} lane
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

/**
 * Decodes one lane, a token at a time. Throws a `FormatError` when the stream ends too early or holds an id that is not in the
 * vocabulary.
 */
export class LaneDecoder {
  #decoder;
  #grid;
  #block;
  #vocabSize;
  #depth;
  #index;
  #offset = 0;
  #left = 0;

  /**
   * @param {Uint8Array} stream
   * @param {Grid} grid
   * @param {number} block
   * @param {number} vocabSize
   */
  constructor(stream, grid, block, vocabSize) {
    this.#decoder = new BitDecoder(stream);
    this.#grid = grid;
    this.#block = block;
    this.#vocabSize = vocabSize;
    this.#depth = treeDepth(vocabSize);
    this.#index = new OffsetIndex(grid.offsets);
  }

  /**
   * The next token.
   *
   * @param {Row} row `[V]`
   * @param {Float64Array} masses room for a tree
   * @returns {number}
   */
  decode(row, masses) {
    if (this.#left === 0) {
      this.#offset = this.#index.decode(this.#decoder);
      this.#left = this.#block;
    }
    this.#left -= 1;
    const k = this.#offset;
    // Also finds rows that are not finite, which a raw block would not need.
    const { id, lead } = leader(row);
    if (k === this.#grid.offsets) return this.#decodeRaw();
    const leads = this.#grid.leads(lead, k);
    if (leads && this.#decodeBit(leaderLogOdds(row, id), k)) return id;
    const found = this.#decodeTree(treeMasses(row, id, !leads, masses), k);
    if (leads && found === id) throw new FormatError(`a lane's stream holds id ${id} where it says that it does not`);
    return found;
  }

  /**
   * @param {number} v
   * @param {number} k
   * @returns {number}
   */
  #decodeBit(v, k) {
    const { offsets } = this.#grid;
    return this.#decoder.decode(this.#grid.probabilities()[(this.#grid.cell(v, k) + 1) * offsets + k]);
  }

  /**
   * @param {Float64Array} masses
   * @param {number} k
   * @returns {number}
   */
  #decodeTree(masses, k) {
    const leaves = 1 << this.#depth;
    const end = leaves + this.#vocabSize;
    let node = 1;
    for (let height = this.#depth - 1; height >= 0; height--) {
      const hasRight = (2 * node + 1) << height < end;
      node = 2 * node + (hasRight ? this.#decodeBit(logOdds(masses, node), k) : 0);
    }
    return node - leaves;
  }

  #decodeRaw() {
    let id = 0;
    for (let d = 0; d < this.#depth; d++) id = 2 * id + this.#decoder.decode(RAW_PROBABILITY);
    if (id >= this.#vocabSize) {
      throw new FormatError(`a lane's stream holds id ${id}, the vocabulary has ${this.#vocabSize}`);
    }
    return id;
  }
}
