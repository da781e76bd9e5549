/**
 * A file of the page to a container, and back.
 *
 * Owns the order of things in the worker; a result is there whole or not at all. The work is `core`'s.
 *
 * @module
 */

import { decompress } from '../../src/core/compressor/decode.mjs';
import { compress } from '../../src/core/compressor/encode.mjs';
import { parseEps } from '../../src/core/container/eps.mjs';
import { readInfo } from '../../src/core/container/info.mjs';
import { gzipBytes, ZSTD_LEVEL, zstdBytes } from './baselines.mjs';
import { variantOf } from './catalogue.mjs';
import { TokenCosts } from './tokens.mjs';

/** @typedef {import('./model.mjs').ModelStory} ModelStory */
/** @typedef {import('./model.mjs').PageModel} PageModel */
/** @typedef {import('../../src/core/compressor/encode.mjs').CompressSummary} CompressSummary */
/** @typedef {import('../../src/core/compressor/decode.mjs').DecompressSummary} DecompressSummary */

/**
 * What is told while it goes on: which stage it is, bytes of the model that came, and how much of the input is done.
 *
 * @typedef {object} Talk
 * @property {(stage: 'model' | 'others' | 'tokens' | 'reading') => void} stage
 * @property {(done: number, total: number) => void} fetched
 * @property {(done: number, tokens: number) => void} progress the part that is done, 0 to 1, and its tokens
 */

/**
 * @typedef {{ output: Blob, summary: CompressSummary, gzip: number, zstd: number | null, zstdLevel: number, costs: TokenCosts,
 *   story: ModelStory }} Compressed
 */
/** @typedef {{ output: Blob, summary: DecompressSummary, containerBytes: number, story: ModelStory }} Decompressed */

/**
 * @param {PageModel} pageModel
 * @param {Blob} input
 * @param {string | undefined} dtype
 * @param {Talk} talk
 * @returns {Promise<Compressed>}
 * @throws {import('../../src/core/errors.mjs').LlmzipError}
 */
export async function compressFile(pageModel, input, dtype, talk) {
  talk.stage('model');
  const { startToken, window, overlap } = await pageModel.catalogue();
  const variant = await pageModel.variant(dtype);
  const model = await pageModel.load(variant, talk.fetched);
  talk.stage('others');
  const gzip = await gzipBytes(input);
  const zstd = await zstdBytes(input);
  talk.stage('tokens');
  const costs = new TokenCosts(model.tokenizer);
  const pieces = new Pieces(input);
  /** @type {BlobPart[]} */
  const output = [];
  const summary = await compress(
    pieces,
    (bytes) => void output.push(/** @type {Uint8Array<ArrayBuffer>} */ (bytes)),
    model,
    {
      eps: parseEps(variant.eps),
      policy: { startToken, window, overlap },
      onTokens: (frame) => costs.add(frame),
    },
    // The tokens of what is not read yet are not known.
    (done, total) => talk.progress(((pieces.count / Math.max(input.size, 1)) * done) / Math.max(total, 1), done),
  );
  const story = await pageModel.story(variant, model);
  return { output: new Blob(output), summary, gzip, zstd, zstdLevel: ZSTD_LEVEL, costs, story };
}

/**
 * @param {PageModel} pageModel
 * @param {Blob} input
 * @param {Talk} talk
 * @returns {Promise<Decompressed>}
 * @throws {import('../../src/core/errors.mjs').LlmzipError}
 */
export async function decompressFile(pageModel, input, talk) {
  talk.stage('reading');
  // What is damaged in a way that shows without the model is told before one is loaded.
  const { preamble, tokens } = await readInfo(new Pieces(input));
  const variant = variantOf(await pageModel.catalogue(), preamble.modelSha256);
  talk.stage('model');
  const model = await pageModel.load(variant, talk.fetched);
  talk.stage('tokens');
  /** @type {BlobPart[]} */
  const output = [];
  const summary = await decompress(
    new Pieces(input),
    (bytes) => void output.push(/** @type {Uint8Array<ArrayBuffer>} */ (bytes)),
    model,
    (done) => talk.progress(done / Math.max(tokens, 1), done),
  );
  const story = await pageModel.story(variant, model);
  return { output: new Blob(output), summary, containerBytes: input.size, story };
}

/** A blob as pieces of bytes, which knows how much of it was read. */
class Pieces {
  count = 0;
  #blob;

  /** @param {Blob} blob */
  constructor(blob) {
    this.#blob = blob;
  }

  /** @returns {AsyncGenerator<Uint8Array>} */
  async *[Symbol.asyncIterator]() {
    const reader = this.#blob.stream().getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.count += value.length;
      yield value;
    }
  }
}
