/**
 * What both ways through a container share: the streams' types, and what is told and added up on the way.
 *
 * @module
 */

import { Sha256 } from '../model/provenance.mjs';

/** @typedef {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} Pieces */
/** @typedef {(bytes: Uint8Array) => void | Promise<void>} Write */
/** @typedef {(done: number, total: number) => void} Progress rows done, and rows known of so far */

/** What is counted and hashed on both ways. */
export class Sums {
  tokens = 0;
  #plainBytes = 0;
  #plainHash = new Sha256();
  #tokensHash = new Sha256();

  /** @param {Uint8Array} plain */
  addPlain(plain) {
    this.#plainBytes += plain.length;
    this.#plainHash.update(plain);
  }

  /** @param {Uint32Array} ids */
  addTokens(ids) {
    this.tokens += ids.length;
    this.#tokensHash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  }

  /** @returns {import('./decode.mjs').DecompressSummary} */
  finish() {
    return {
      plain_bytes: this.#plainBytes,
      plain_sha256: this.#plainHash.hex(),
      tokens: this.tokens,
      tokens_sha256: this.#tokensHash.hex(),
    };
  }
}

/**
 * Progress of a frame as that of the whole, as far as the whole is known.
 *
 * @param {Progress} progress
 * @param {number} base
 * @returns {Progress}
 */
export function shifted(progress, base) {
  return (done, total) => progress(base + done, base + total);
}

/** Takes no notice. */
export function noProgress() {}
