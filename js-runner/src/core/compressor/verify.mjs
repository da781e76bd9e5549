/**
 * The proof that a container gives back what went into it: the hash of what was read, and the decoding of what was written.
 *
 * Opens no files: it is given streams of pieces.
 *
 * @module
 */

import { InternalError, LlmzipError } from '../errors.mjs';
import { Sha256 } from '../model/provenance.mjs';
import { decompress } from './decode.mjs';
import { noProgress } from './progress.mjs';

/** @typedef {{ bytes: number, sha256: string }} PlainDigest what went into a container */

/** An input that is hashed while it is read, so that what a pipe gave can be held to later. */
export class HashedInput {
  #pieces;
  #bytes = 0;
  #hash = new Sha256();

  /** @param {import('./progress.mjs').Pieces} pieces */
  constructor(pieces) {
    this.#pieces = pieces;
  }

  /** @returns {AsyncGenerator<Uint8Array>} */
  async *[Symbol.asyncIterator]() {
    for await (const piece of this.#pieces) {
      this.#bytes += piece.length;
      this.#hash.update(piece);
      yield piece;
    }
  }

  /** @returns {PlainDigest} of what was read */
  finish() {
    return { bytes: this.#bytes, sha256: this.#hash.hex() };
  }
}

/**
 * Decodes a container as any reader would and holds what comes out to what went in. Nothing of it is kept.
 *
 * @param {import('./progress.mjs').Pieces} container
 * @param {PlainDigest} plain
 * @param {import('../model/source.mjs').LanguageModel} model
 * @param {import('./progress.mjs').Progress} [progress]
 * @returns {Promise<void>}
 * @throws {LlmzipError} those of `decompress`, with words that say when it failed; internal when other bytes come out than went in
 */
export async function verify(container, plain, model, progress = noProgress) {
  const found = await decompress(container, () => {}, model, progress).catch((error) => {
    if (error instanceof LlmzipError)
      error.message = `what was written does not decode, and was not kept: ${error.message}`;
    throw error;
  });
  if (found.plain_bytes === plain.bytes && found.plain_sha256 === plain.sha256) return;
  throw new InternalError(
    `what was written decodes to ${found.plain_bytes} bytes of SHA-256 ${found.plain_sha256}, and was not kept: ` +
      `${plain.bytes} bytes of ${plain.sha256} went in`,
  );
}
