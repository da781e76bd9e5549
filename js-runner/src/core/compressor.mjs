/**
 * Bytes to a container and back, frame by frame.
 *
 * Owns the order of things: bytes, runs, tokens, rows, lanes, container. What a byte means is `container`'s, what a row means
 * `codec`'s, where rows come from `model`'s. Opens no files: it is given streams of pieces.
 *
 * @module
 */

import { chooseParameters, encodeLane, LaneDecoder } from './codec/block.mjs';
import { Grid } from './codec/grid.mjs';
import { emptyPath, logProb, path, treeDepth, treeMasses } from './codec/tree.mjs';
import { ByteReader } from './container/bytes.mjs';
import { crc32 } from './container/crc32.mjs';
import { epsValue, formatEps } from './container/eps.mjs';
import { cutFrames } from './container/frames.mjs';
import {
  laneLengths,
  MAX_FRAME_BYTES,
  readFrame,
  readPreamble,
  writeCodedFrame,
  writeEnd,
  writePreamble,
  writeStoredFrame,
} from './container/layout.mjs';
import { joinRuns, splitRuns } from './container/runs.mjs';
import { DivergenceError, FormatError, IntegrityError, VocabularyError } from './errors.mjs';
import { checkPlan, checkPolicy, checkRange, decodeInLockstep, rowsOfKnownTokens } from './model/context.mjs';
import { Sha256 } from './model/provenance.mjs';
import { asRow } from './model/source.mjs';

/** @typedef {import('./codec/tree.mjs').Path} Path */
/** @typedef {import('./container/eps.mjs').Eps} Eps */
/** @typedef {import('./container/layout.mjs').CodedFrame} CodedFrame */
/** @typedef {import('./container/layout.mjs').Preamble} Preamble */
/** @typedef {import('./model/context.mjs').ContextPolicy} ContextPolicy */
/** @typedef {import('./model/source.mjs').LanguageModel} LanguageModel */

/** @typedef {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} Pieces */
/** @typedef {(bytes: Uint8Array) => void | Promise<void>} Write */
/** @typedef {(done: number, total: number) => void} Progress rows done, and rows known of so far */

/**
 * A writer's choices.
 *
 * @typedef {object} CompressSettings
 * @property {Eps} eps
 * @property {ContextPolicy} policy
 * @property {number} [lanes] 1 unless told otherwise
 * @property {number} [frameBytes] `FRAME_BYTES` unless told otherwise
 */

/**
 * What was read back. `tokens` are those of text runs in coded frames, hashed as u32 little-endian; hashes are hexadecimal.
 *
 * @typedef {object} DecompressResult
 * @property {number} plain_bytes
 * @property {string} plain_sha256
 * @property {number} tokens
 * @property {string} tokens_sha256
 */

/**
 * What was written.
 *
 * @typedef {DecompressResult & { container_bytes: number, stream_bytes: number, entropy_bits: number }} CompressResult
 */

export const FRAME_BYTES = 2 ** 20;
const OFFSETS = 32;

/**
 * Compresses plain bytes into a container.
 *
 * @param {Pieces} plain
 * @param {Write} write
 * @param {LanguageModel} model
 * @param {CompressSettings} settings
 * @param {Progress} [progress]
 * @returns {Promise<CompressResult>}
 * @throws {import('./errors.mjs').LlmzipError} usage, model, and whatever `plain` and `write` throw
 */
export async function compress(plain, write, model, settings, progress = noProgress) {
  const { eps, policy, lanes = 1, frameBytes = FRAME_BYTES } = settings;
  checkPolicy(policy, model.source.vocabSize);
  checkPlan({ lanes, chunk: 1 });
  checkRange('frame_bytes', frameBytes, 1, MAX_FRAME_BYTES);
  const sums = new Sums();
  let containerBytes = 0;
  let streamBytes = 0;
  let entropyBits = 0;
  /** @param {Uint8Array} bytes */
  const writeCounted = async (bytes) => {
    containerBytes += bytes.length;
    await write(bytes);
  };
  await writeCounted(writePreamble(preambleOf(model, eps, policy)));
  for await (const piece of cutFrames(plain, frameBytes)) {
    const coded = await codeFrame(piece, model, policy, lanes, epsValue(eps), shifted(progress, sums.tokens));
    const stored = writeStoredFrame(piece);
    if (coded !== undefined && coded.bytes.length < stored.length) {
      streamBytes += coded.streamBytes;
      entropyBits += coded.entropyBits;
      sums.addTokens(coded.ids);
      await writeCounted(coded.bytes);
    } else {
      await writeCounted(stored);
    }
    sums.addPlain(piece);
  }
  const result = sums.finish();
  await writeCounted(writeEnd(result.plain_sha256));
  return { ...result, container_bytes: containerBytes, stream_bytes: streamBytes, entropy_bits: entropyBits };
}

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
 * @returns {Promise<DecompressResult>}
 * @throws {import('./errors.mjs').LlmzipError} format, divergence, integrity, vocabulary, model, and whatever the streams throw
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
 * @returns {Promise<DecompressResult>}
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
}

/**
 * The decisions of each lane's tokens, and the sum of the negative log-probs of all tokens, in bits.
 *
 * @param {LanguageModel} model
 * @param {ContextPolicy} policy
 * @param {number} lanes
 * @param {Uint32Array} ids
 * @param {Progress} [progress]
 * @returns {Promise<{ paths: Path[], entropyBits: number }>}
 */
export async function pathsOfKnownTokens({ source }, policy, lanes, ids, progress = noProgress) {
  const { vocabSize } = source;
  const depth = treeDepth(vocabSize);
  const paths = laneLengths(ids.length, Math.min(lanes, ids.length)).map((tokens) => emptyPath(tokens, depth));
  const masses = new Float64Array(2 << depth);
  const scratch = new Float64Array(vocabSize);
  let nats = 0;
  let done = 0;
  for await (const { index, lane, step, logits } of rowsOfKnownTokens(source, policy, { lanes, chunk: 1 }, ids)) {
    const row = asRow(logits, scratch);
    path(treeMasses(row, masses), ids[index], vocabSize, paths[lane], step);
    nats -= logProb(row, ids[index], masses);
    done += 1;
    progress(done, ids.length);
  }
  return { paths, entropyBits: nats / Math.LN2 };
}

/**
 * A coded frame, or nothing where a frame of this kind cannot be.
 *
 * @param {Uint8Array} plain
 * @param {LanguageModel} model
 * @param {ContextPolicy} policy
 * @param {number} lanes
 * @param {number} eps
 * @param {Progress} progress
 */
async function codeFrame(plain, model, policy, lanes, eps, progress) {
  const split = splitRuns(plain, model.tokenizer);
  if (split.ids.length === 0 || split.ids.length > plain.length) return undefined;
  const ids = Uint32Array.from(split.ids);
  const { paths, entropyBits } = await pathsOfKnownTokens(model, policy, lanes, ids, progress);
  const { cells, block } = chooseParameters(paths, OFFSETS, eps);
  const grid = new Grid(cells, OFFSETS, eps);
  const streams = paths.map((lane) => encodeLane(lane, grid, block));
  const bytes = writeCodedFrame({
    kind: 'coded',
    plainLength: plain.length,
    plainCrc32: crc32(plain),
    tokenCount: ids.length,
    runs: split.runs,
    literals: split.literals,
    cells,
    block,
    streams,
  });
  return { bytes, ids, entropyBits, streamBytes: streams.reduce((sum, stream) => sum + stream.length, 0) };
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
  const masses = new Float64Array(2 << treeDepth(vocabSize));
  const scratch = new Float64Array(vocabSize);
  let done = 0;
  try {
    const decoders = frame.streams.map((stream) => new LaneDecoder(stream, grid, frame.block, vocabSize));
    const lengths = laneLengths(frame.tokenCount, frame.streams.length);
    return await decodeInLockstep(model.source, preamble, lengths, (lane, logits) => {
      done += 1;
      progress(done, frame.tokenCount);
      return decoders[lane].decode(treeMasses(asRow(logits, scratch), masses));
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

/**
 * @param {LanguageModel} model
 * @param {Eps} eps
 * @param {ContextPolicy} policy
 * @returns {Preamble}
 */
function preambleOf(model, eps, { startToken, window, overlap }) {
  return {
    modelSha256: model.modelSha256,
    tokenizerSha256: model.tokenizerSha256,
    vocabSize: model.source.vocabSize,
    eps,
    offsets: OFFSETS,
    startToken,
    window,
    overlap,
    fingerprint: model.fingerprint,
  };
}

/** What is counted and hashed on both ways. */
class Sums {
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

  /** @returns {DecompressResult} */
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
function shifted(progress, base) {
  return (done, total) => progress(base + done, base + total);
}

function noProgress() {}
