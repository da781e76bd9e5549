/**
 * Streams to tokens, one row after another (FORMAT.md section 7).
 *
 * @module
 */

import { FormatError } from '../../errors.mjs';
import { BitDecoder } from '../arithmetic-coder.mjs';
import { OffsetIndex, RAW_PROBABILITY } from './offset-index.mjs';

/** @typedef {import('../grid.mjs').Grid} Grid */
/** @typedef {import('../tree.mjs').Tree} Tree */

/**
 * Decodes one lane, a token at a time. Throws a `FormatError` when the stream ends too early or holds an id that is not in the
 * vocabulary.
 */
export class LaneDecoder {
  #decoder;
  #grid;
  #block;
  #index;
  #offset = 0;
  #left = 0;

  /**
   * @param {Uint8Array} stream
   * @param {Grid} grid
   * @param {number} block
   */
  constructor(stream, grid, block) {
    this.#decoder = new BitDecoder(stream);
    this.#grid = grid;
    this.#block = block;
    this.#index = new OffsetIndex(grid.offsets);
  }

  /**
   * The next token, `tree` having taken in the row that predicts it.
   *
   * @param {Tree} tree
   * @returns {number}
   */
  decode(tree) {
    if (this.#left === 0) {
      this.#offset = this.#index.decode(this.#decoder);
      this.#left = this.#block;
    }
    this.#left -= 1;
    const k = this.#offset;
    if (k === this.#grid.offsets) return this.#decodeRaw(tree);
    const { leaderId } = tree;
    const leads = this.#grid.leads(tree.lead, k);
    if (leads && this.#decodeBit(tree.leaderLogOdds(), k)) return leaderId;
    const id = this.#decodePath(tree, !leads, k);
    if (leads && id === leaderId) {
      throw new FormatError(`a lane's stream holds id ${id} where it says that it does not`);
    }
    return id;
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
   * Follows decisions from the root to a leaf; they lead to none that is not below the vocabulary size.
   *
   * @param {Tree} tree
   * @param {boolean} withLeader
   * @param {number} k
   * @returns {number}
   */
  #decodePath(tree, withLeader, k) {
    const leaves = 1 << tree.depth;
    let node = 1;
    while (node < leaves) {
      const v = tree.logOdds(node, withLeader);
      node = 2 * node + (v === undefined ? 0 : this.#decodeBit(v, k));
    }
    return node - leaves;
  }

  /**
   * @param {Tree} tree
   * @returns {number}
   */
  #decodeRaw({ depth, vocabSize }) {
    let id = 0;
    for (let d = 0; d < depth; d++) id = 2 * id + this.#decoder.decode(RAW_PROBABILITY);
    if (id >= vocabSize) throw new FormatError(`a lane's stream holds id ${id}, the vocabulary has ${vocabSize}`);
    return id;
  }
}
