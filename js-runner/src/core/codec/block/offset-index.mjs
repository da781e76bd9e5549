/**
 * How a block says which offset its grid has (FORMAT.md section 7).
 *
 * Owns the adaptive code of the index, and the probability of a block's decisions where it is the escape.
 *
 * @module
 */

import { AdaptiveBit } from '../arithmetic-coder.mjs';
import { bitCost } from '../grid.mjs';

/** @typedef {import('../arithmetic-coder.mjs').BitEncoder} BitEncoder */
/** @typedef {import('../arithmetic-coder.mjs').BitDecoder} BitDecoder */

/** Of a bit that is not predicted, in 65536ths. */
export const RAW_PROBABILITY = 32768;

/** The adaptive unary code of a block's offset index, `0 .. offsets`; `offsets` is the escape. */
export class OffsetIndex {
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
   * Reads an index. The adaptive bits learn it; the costs do not follow, since only a writer asks for them: an object either reads or writes.
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
