/**
 * A container to bytes, frame by frame.
 *
 * Owns the order of things: container, lanes, rows, tokens, runs, bytes; and what a reader must hold before a byte comes out. Opens
 * no files: it is given streams of pieces.
 *
 * @module
 */

import { LaneDecoder } from '../codec/block.mjs';
import { Grid } from '../codec/grid.mjs';
import { Tree } from '../codec/tree.mjs';
import { ByteReader } from '../container/bytes.mjs';
import { crc32 } from '../container/crc32.mjs';
import { epsValue, formatEps } from '../container/eps.mjs';
import { readFrame, readPreamble } from '../container/layout.mjs';
import { joinRuns } from '../container/runs.mjs';
import { DivergenceError, FormatError, IntegrityError, VocabularyError } from '../errors.mjs';
import { decodeInLockstep, laneLengths } from '../model/context.mjs';
import { requireExact } from '../model/exactness.mjs';
import { asRow } from '../model/source.mjs';
import { noProgress, Sums, shifted } from './progress.mjs';

/** @typedef {import('../container/layout.mjs').CodedFrame} CodedFrame */
/** @typedef {import('../container/layout.mjs').Preamble} Preamble */
/** @typedef {import('../model/source.mjs').LanguageModel} LanguageModel */
/** @typedef {import('./progress.mjs').Pieces} Pieces */
/** @typedef {import('./progress.mjs').Progress} Progress */
/** @typedef {import('./progress.mjs').Write} Write */

/**
 * What was read back. `tokens` are those of text runs in coded frames, hashed as u32 little-endian; hashes are hexadecimal.
 *
 * @typedef {object} DecompressSummary
 * @property {number} plain_bytes
 * @property {string} plain_sha256
 * @property {number} tokens
 * @property {string} tokens_sha256
 */

/**
 * A container whose preamble is read: it names the model that the rest needs.
 *
 * @param {Pieces} container
 * @returns {Promise<{ reader: ByteReader, preamble: Preamble }>}
 * @throws {FormatError}
 */
export async function openContainer(container) {
  const reader = new ByteReader(container);
  return { reader, preamble: await readPreamble(reader) };
}

/**
 * Decompresses a container. `write` gets a frame when its crc32 is verified; what it got must not be used unless this returns.
 *
 * @param {Pieces} container
 * @param {Write} write
 * @param {LanguageModel} model
 * @param {Progress} [progress]
 * @returns {Promise<DecompressSummary>}
 * @throws {import('../errors.mjs').LlmzipError} format, divergence, integrity, vocabulary, unsupported, model, and whatever the streams
 *   throw
 */
export async function decompress(container, write, model, progress = noProgress) {
  const { reader, preamble } = await openContainer(container);
  return decompressFrames(reader, preamble, write, model, progress);
}

/**
 * Decompresses what follows a preamble, as `decompress` does.
 *
 * @param {ByteReader} reader
 * @param {Preamble} preamble
 * @param {Write} write
 * @param {LanguageModel} model
 * @param {Progress} [progress]
 * @returns {Promise<DecompressSummary>}
 */
export async function decompressFrames(reader, preamble, write, model, progress = noProgress) {
  checkModel(preamble, model);
  const sums = new Sums();
  for (;;) {
    const frame = await readFrame(reader, preamble);
    if (frame.kind === 'end') {
      const result = sums.finish();
      if (result.plain_sha256 === frame.plainSha256) return result;
      throw new FormatError(
        `the plain bytes have SHA-256 ${result.plain_sha256}, the container says ${frame.plainSha256}: ` +
          'a frame is missing, misplaced or damaged',
      );
    }
    let plain;
    if (frame.kind === 'coded') {
      const ids = await decodeIds(frame, preamble, model, shifted(progress, sums.tokens));
      plain = joinFrame(frame, ids, preamble, model);
      sums.addTokens(ids);
    } else {
      plain = frame.plain;
    }
    sums.addPlain(plain);
    await write(plain);
  }
}

/**
 * @param {Preamble} preamble
 * @param {LanguageModel} model
 * @throws {IntegrityError} the container was made with another model or tokenizer
 * @throws {VocabularyError} its vocabulary is not the graph's
 * @throws {import('../errors.mjs').UnsupportedError} its eps is 0 and the model is not exact
 */
export function checkModel(preamble, model) {
  for (const [what, needed, found] of [
    ['model', preamble.modelSha256, model.modelSha256],
    ['tokenizer', preamble.tokenizerSha256, model.tokenizerSha256],
  ]) {
    if (needed !== found) {
      throw new IntegrityError(
        `the container was made with the ${what} of SHA-256 ${needed}, here is ${found}`,
        `decompress with the ${what} of that hash: --model names its folder`,
      );
    }
  }
  if (preamble.vocabSize !== model.source.vocabSize) {
    throw new VocabularyError(
      `the container's vocabulary has ${preamble.vocabSize} ids, the graph's ${model.source.vocabSize}`,
      'get the container again: it names a model that it was not made with',
    );
  }
  if (epsValue(preamble.eps) === 0) requireExact(model.source.exactness);
}

/**
 * @param {CodedFrame} frame
 * @param {Preamble} preamble
 * @param {LanguageModel} model
 * @param {Progress} progress
 * @returns {Promise<Uint32Array>}
 */
async function decodeIds(frame, preamble, model, progress) {
  const { vocabSize, offsets, eps } = preamble;
  const grid = new Grid(frame.cells, offsets, epsValue(eps));
  const tree = new Tree(vocabSize);
  const scratch = new Float64Array(vocabSize);
  let done = 0;
  try {
    const decoders = frame.streams.map((stream) => new LaneDecoder(stream, grid, frame.block));
    const lengths = laneLengths(frame.tokenCount, frame.streams.length);
    return await decodeInLockstep(model.source, preamble, lengths, (lane, logits) => {
      done += 1;
      progress(done, frame.tokenCount);
      tree.takeRow(asRow(logits, scratch));
      return decoders[lane].decode(tree);
    });
  } catch (error) {
    // The streams' checksums are right, so it is not the streams that are wrong.
    if (error instanceof FormatError) throw divergence(error.message, preamble, model);
    throw error;
  }
}

/**
 * @param {CodedFrame} frame
 * @param {Uint32Array} ids
 * @param {Preamble} preamble
 * @param {LanguageModel} model
 * @returns {Uint8Array}
 */
function joinFrame(frame, ids, preamble, model) {
  const plain = joinRuns(frame.runs, ids, frame.literals, model.tokenizer, frame.plainLength);
  if (plain.length !== frame.plainLength || crc32(plain) !== frame.plainCrc32) {
    throw divergence("the decoded bytes are not the frame's: length or crc32 differ", preamble, model);
  }
  return plain;
}

/**
 * @param {string} what
 * @param {Preamble} preamble
 * @param {LanguageModel} model
 */
function divergence(what, preamble, model) {
  return new DivergenceError(
    `an intact frame does not decode (${what}): the log-probs here (${model.fingerprint}) lie further than eps ` +
      `${formatEps(preamble.eps)} from those of the writer (${preamble.fingerprint})`,
  );
}
