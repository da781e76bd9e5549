/**
 * The binary arithmetic coder and its adaptive bits (FORMAT.md section 7).
 *
 * Owns bits and probabilities; knows nothing of tokens, grids or models. Probabilities are of bit 1, in 65536ths, `1 .. 65535`.
 * All state is 32 bits wide and kept unsigned by `>>> 0`; no product below reaches 2^53.
 *
 * @module
 */

import { FormatError } from '../errors.mjs';

const TOP = 0x80000000;
const QUARTER = 0x40000000;
const THREE_QUARTERS = 0xc0000000;
const MAX_BITS_PAST_END = 32;
const ADAPTIVE_LIMIT = 255;

/** A lane's stream has no more bits, but the decoder needs them. */
export class StreamEnd extends FormatError {
  constructor() {
    super("a lane's stream ends too early");
  }
}

/** A bit whose probability follows its own history. */
export class AdaptiveBit {
  zeros = 0;
  ones = 0;

  /** Probability of 1. */
  probability() {
    return Math.floor(((this.ones + 2) * 65536) / (this.zeros + this.ones + 4));
  }

  /**
   * Learns a bit that was coded.
   *
   * @param {number} bit
   */
  update(bit) {
    if (bit) this.ones += 1;
    else this.zeros += 1;
    if (this.zeros + this.ones >= ADAPTIVE_LIMIT) {
      this.zeros >>= 1;
      this.ones >>= 1;
    }
  }
}

/** Codes bits into bytes. */
export class BitEncoder {
  #low = 0;
  #high = 0xffffffff;
  #pending = 0;
  #bytes = new Uint8Array(256);
  #length = 0;
  #byte = 0;
  #free = 8;

  /**
   * Codes one bit whose probability of being 1 is `p`.
   *
   * @param {number} bit
   * @param {number} p
   */
  encode(bit, p) {
    let low = this.#low;
    let high = this.#high;
    const r = high - low;
    const split = low + (r >>> 16) * p + (((r & 0xffff) * p) >>> 16);
    if (bit) high = split;
    else low = split + 1;
    for (;;) {
      if (high < TOP) {
        this.#put(0);
      } else if (low >= TOP) {
        this.#put(1);
        low -= TOP;
        high -= TOP;
      } else if (low >= QUARTER && high < THREE_QUARTERS) {
        this.#pending += 1;
        low -= QUARTER;
        high -= QUARTER;
      } else {
        break;
      }
      low = (low << 1) >>> 0;
      high = ((high << 1) | 1) >>> 0;
    }
    this.#low = low;
    this.#high = high;
  }

  /**
   * Ends the stream and returns it. The encoder must not be used afterwards.
   *
   * @returns {Uint8Array}
   */
  finish() {
    // 80000000 is never outside of low .. high, and nothing but zeros follow its first bit, within the stream or past its end.
    this.#put(1);
    while (this.#free < 8) this.#append(0);
    return this.#bytes.slice(0, this.#length);
  }

  /** @param {number} bit */
  #put(bit) {
    this.#append(bit);
    for (; this.#pending > 0; this.#pending--) this.#append(1 - bit);
  }

  /** @param {number} bit */
  #append(bit) {
    this.#free -= 1;
    this.#byte |= bit << this.#free;
    if (this.#free > 0) return;
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = this.#byte;
    this.#byte = 0;
    this.#free = 8;
  }
}

/** Decodes what a `BitEncoder` coded. Throws `StreamEnd` when more than 32 bits past the end of the stream are needed. */
export class BitDecoder {
  #low = 0;
  #high = 0xffffffff;
  #value = 0;
  #stream;
  #position = 0;

  /** @param {Uint8Array} stream */
  constructor(stream) {
    this.#stream = stream;
    for (let i = 0; i < 32; i++) this.#value = ((this.#value << 1) | this.#take()) >>> 0;
  }

  /**
   * Decodes one bit whose probability of being 1 is `p`.
   *
   * @param {number} p
   * @returns {0 | 1}
   */
  decode(p) {
    let low = this.#low;
    let high = this.#high;
    let value = this.#value;
    const r = high - low;
    const split = low + (r >>> 16) * p + (((r & 0xffff) * p) >>> 16);
    /** @type {0 | 1} */
    let bit = 0;
    if (value <= split) {
      bit = 1;
      high = split;
    } else {
      low = split + 1;
    }
    for (;;) {
      if (high < TOP) {
        // Nothing to take away: the leading bits are 0.
      } else if (low >= TOP) {
        low -= TOP;
        high -= TOP;
        value -= TOP;
      } else if (low >= QUARTER && high < THREE_QUARTERS) {
        low -= QUARTER;
        high -= QUARTER;
        value -= QUARTER;
      } else {
        break;
      }
      low = (low << 1) >>> 0;
      high = ((high << 1) | 1) >>> 0;
      value = ((value << 1) | this.#take()) >>> 0;
    }
    this.#low = low;
    this.#high = high;
    this.#value = value;
    return bit;
  }

  /** The next bit of the stream; past its end the stream goes on with zeros. */
  #take() {
    const position = this.#position++;
    const byte = position >>> 3;
    if (byte < this.#stream.length) return (this.#stream[byte] >>> (7 - (position & 7))) & 1;
    if (position >= 8 * this.#stream.length + MAX_BITS_PAST_END) throw new StreamEnd();
    return 0;
  }
}
