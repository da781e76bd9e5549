/**
 * Streams to tokens, one row after another (FORMAT.md section 7).
 *
 * @module
 */

import { FormatError } from '../../errors.mjs';
import { BitDecoder } from '../arithmetic-coder.mjs';
import { leader, leaderLogOdds, logOdds, sumMasses, treeDepth, weigh } from '../tree.mjs';
import { OffsetIndex, RAW_PROBABILITY } from './offset-index.mjs';

/** @typedef {import('../grid.mjs').Grid} Grid */
/** @typedef {import('../tree.mjs').Row} Row */

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
    const others = weigh(row, id, masses);
    if (leads && this.#decodeBit(leaderLogOdds(others), k)) return id;
    sumMasses(masses, id, !leads);
    const found = this.#decodeTree(masses, k);
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
