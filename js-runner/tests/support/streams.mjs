/**
 * Streams for tests: what is written is gathered, what is read comes in pieces.
 *
 * @module
 */

import { decompress } from '../../src/core/compressor/decode.mjs';
import { compress } from '../../src/core/compressor/encode.mjs';

/** @typedef {import('../../src/core/compressor/encode.mjs').CompressOptions} CompressOptions */
/** @typedef {import('../../src/core/model/source.mjs').LanguageModel} LanguageModel */

/**
 * @param {Uint8Array} bytes
 * @param {number} size
 * @returns {AsyncGenerator<Uint8Array>}
 */
export async function* inPieces(bytes, size) {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

/** Gathers what is written. */
export class Sink {
  /** @type {Uint8Array[]} */
  #pieces = [];

  /** @param {Uint8Array} bytes */
  write = (bytes) => {
    this.#pieces.push(Uint8Array.from(bytes));
  };

  bytes() {
    return Uint8Array.from(Buffer.concat(this.#pieces));
  }
}

/**
 * @param {Uint8Array} plain
 * @param {LanguageModel} model
 * @param {CompressOptions} settings
 */
export async function compressBytes(plain, model, settings) {
  const sink = new Sink();
  const result = await compress(inPieces(plain, 7), sink.write, model, settings);
  return { container: sink.bytes(), result };
}

/**
 * @param {Uint8Array} container
 * @param {LanguageModel} model
 */
export async function decompressBytes(container, model) {
  const sink = new Sink();
  const result = await decompress(inPieces(container, 5), sink.write, model);
  return { plain: sink.bytes(), result };
}
