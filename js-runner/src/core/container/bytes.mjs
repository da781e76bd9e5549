/**
 * Bytes as FORMAT.md section 1 writes them: u8, u32 and varint, into a growing buffer and out of a stream of pieces.
 *
 * Owns buffers and integers; knows nothing of what the fields mean. Memory grows with the bytes that really arrive, never with a
 * length that a field claims.
 *
 * @module
 */

import { FormatError } from '../errors.mjs';
import { crc32 } from './crc32.mjs';

const MAX_VARINT_BYTES = 8;
const FIRST_CAPACITY = 256;

/** A buffer that grows. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #length = 0;

  /** @param {number} value */
  u8(value) {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** @param {number} value */
  u32(value) {
    for (let shift = 0; shift < 32; shift += 8) this.u8((value >>> shift) & 0xff);
  }

  /** @param {number} value below 2^53 */
  varint(value) {
    let rest = value;
    while (rest >= 128) {
      this.u8((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.u8(rest);
  }

  /** @param {Uint8Array} value */
  bytes(value) {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Appends the CRC-32 of everything so far. */
  crc32() {
    this.u32(crc32(this.#bytes.subarray(0, this.#length)));
  }

  /** @returns {Uint8Array} everything written, without a copy */
  finish() {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @param {number} more */
  #reserve(more) {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/**
 * A stream of pieces, read field by field. `fill` waits for bytes; the readers of fields do not wait, and throw a `FormatError`
 * where the bytes end, so a field is read after a `fill` of its length.
 */
export class ByteReader {
  #pieces;
  #bytes = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #mark = 0;
  #offset = 0;

  /** @param {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} pieces */
  constructor(pieces) {
    this.#pieces =
      Symbol.asyncIterator in pieces
        ? pieces[Symbol.asyncIterator]()
        : /** @type {Iterable<Uint8Array>} */ (pieces)[Symbol.iterator]();
  }

  /** Bytes that can be read without waiting. */
  get available() {
    return this.#end - this.#start;
  }

  /** Bytes read so far. */
  get offset() {
    return this.#offset;
  }

  /**
   * Waits until `count` bytes are available or the stream ends.
   *
   * @param {number} count
   */
  async fill(count) {
    while (this.available < count) {
      const { done, value } = await this.#pieces.next();
      if (done) return;
      this.#append(value);
    }
  }

  /** Starts what `crc32` covers. */
  mark() {
    this.#mark = this.#start;
  }

  /** @returns {number} the CRC-32 of what was read since the mark */
  crc32() {
    return crc32(this.#bytes.subarray(this.#mark, this.#start));
  }

  /**
   * @param {string} field
   * @returns {number}
   */
  u8(field) {
    if (this.available < 1) throw this.#ends(field);
    this.#offset += 1;
    return this.#bytes[this.#start++];
  }

  /**
   * @param {string} field
   * @returns {number}
   */
  u32(field) {
    let value = 0;
    for (let shift = 0; shift < 32; shift += 8) value |= this.u8(field) << shift;
    return value >>> 0;
  }

  /**
   * @param {string} field
   * @param {number} least
   * @param {number} most
   * @returns {number}
   */
  varint(field, least, most) {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.u8(field);
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte >= 128) continue;
      if (byte === 0 && i > 0) throw new FormatError(`${field} is not in its shortest form (byte ${this.#offset})`);
      if (value < least || value > most) {
        throw new FormatError(`${field} is ${value}, it must be ${least} to ${most} (byte ${this.#offset})`);
      }
      return value;
    }
    throw new FormatError(`${field} is longer than ${MAX_VARINT_BYTES} bytes (byte ${this.#offset})`);
  }

  /**
   * @param {string} field
   * @param {number} count
   * @returns {Uint8Array} a copy
   */
  take(field, count) {
    if (this.available < count) throw this.#ends(field);
    const taken = this.#bytes.slice(this.#start, this.#start + count);
    this.#start += count;
    this.#offset += count;
    return taken;
  }

  /**
   * @param {number} count at most `available`
   * @returns {Uint8Array} a view, valid until the next `fill`
   */
  peek(count) {
    return this.#bytes.subarray(this.#start, this.#start + count);
  }

  /** @param {string} field */
  #ends(field) {
    return new FormatError(
      `the container ends after ${this.#offset + this.available} bytes, in ${field}`,
      'it is cut off; get it again from where it was made',
    );
  }

  /** @param {Uint8Array} piece */
  #append(piece) {
    if (this.#end + piece.length > this.#bytes.length) {
      const kept = this.#bytes.subarray(this.#mark, this.#end);
      // Doubling only when what is kept fills half keeps the copying linear.
      const room = Math.max(this.#bytes.length, 2 * kept.length, kept.length + piece.length);
      const moved = new Uint8Array(room);
      moved.set(kept);
      this.#bytes = moved;
      this.#start -= this.#mark;
      this.#end -= this.#mark;
      this.#mark = 0;
    }
    this.#bytes.set(piece, this.#end);
    this.#end += piece.length;
  }
}
