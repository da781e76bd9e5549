/**
 * Bytes to a container, frame by frame.
 *
 * Owns the order of things: bytes, runs, tokens, rows, lanes, container. What a byte means is `container`'s, what a row means
 * `codec`'s, where rows come from `model`'s. Opens no files: it is given streams of pieces.
 *
 * @module
 */

import { chooseParameters, encodeLane } from '../codec/block.mjs';
import { Grid, guardOf } from '../codec/grid.mjs';
import { emptyLanePaths, path } from '../codec/lane-paths.mjs';
import { Tree } from '../codec/tree.mjs';
import { crc32 } from '../container/crc32.mjs';
import { epsValue } from '../container/eps.mjs';
import { MAX_FRAME_BYTES, writeCodedFrame, writeEnd, writePreamble, writeStoredFrame } from '../container/layout.mjs';
import { splitRuns } from '../container/runs.mjs';
import { checkPlan, checkPolicy, checkRange, laneLengths, rowsOfKnownTokens } from '../model/context.mjs';
import { requireExact } from '../model/exactness.mjs';
import { asRow } from '../model/source.mjs';
import { cutFrames } from './frames.mjs';
import { lanesOf } from './lanes.mjs';
import { noProgress, Sums, shifted } from './progress.mjs';

/** @typedef {import('../codec/lane-paths.mjs').LanePaths} LanePaths */
/** @typedef {import('../container/eps.mjs').Eps} Eps */
/** @typedef {import('../container/layout.mjs').Preamble} Preamble */
/** @typedef {import('../model/context.mjs').ContextPolicy} ContextPolicy */
/** @typedef {import('../model/context.mjs').Plan} Plan */
/** @typedef {import('../model/source.mjs').LanguageModel} LanguageModel */
/** @typedef {import('../model/source.mjs').LogitsSource} LogitsSource */
/** @typedef {import('./progress.mjs').Pieces} Pieces */
/** @typedef {import('./progress.mjs').Progress} Progress */
/** @typedef {import('./progress.mjs').Write} Write */

/**
 * A writer's choices.
 *
 * @typedef {object} CompressOptions
 * @property {Eps} eps
 * @property {ContextPolicy} policy
 * @property {import('./lanes.mjs').Lanes} [lanes] `auto` unless told otherwise
 * @property {number} [frameBytes] `FRAME_BYTES` unless told otherwise
 * @property {(frame: FrameTokens) => void} [onTokens] told of every frame that has tokens, also where it is stored after all
 */

/**
 * A frame's tokens and what the model made of each: `logProbs` are `[tokens]`, in nats.
 *
 * @typedef {import('../container/runs.mjs').SplitRuns & { logProbs: Float64Array }} FrameTokens
 */

/**
 * What was written.
 *
 * @typedef {import('./decode.mjs').DecompressSummary & { container_bytes: number, stream_bytes: number, entropy_bits: number }}
 *   CompressSummary
 */

export const FRAME_BYTES = 2 ** 20;
const WRITER_OFFSETS = 32;
// Inputs that are fed in one pass where the plan is the writer's own.
const CHUNK = 256;

/**
 * Compresses plain bytes into a container.
 *
 * @param {Pieces} plain
 * @param {Write} write
 * @param {LanguageModel} model
 * @param {CompressOptions} settings
 * @param {Progress} [progress]
 * @returns {Promise<CompressSummary>}
 * @throws {import('../errors.mjs').LlmzipError} usage, unsupported (eps is 0 and the model is not exact), model, and whatever `plain` and
 *   `write` throw
 */
export async function compress(plain, write, model, settings, progress = noProgress) {
  const { eps, policy, lanes = 'auto', frameBytes = FRAME_BYTES, onTokens } = settings;
  checkOptions(model, settings);
  const sums = new Sums();
  let containerBytes = 0;
  let streamBytes = 0;
  let entropyBits = 0;
  let rows = 0;
  /** @param {Uint8Array} bytes */
  const writeCounted = async (bytes) => {
    containerBytes += bytes.length;
    await write(bytes);
  };
  await writeCounted(writePreamble(preambleOf(model, eps, policy)));
  for await (const piece of cutFrames(plain, frameBytes)) {
    const coded = await codeFrame(piece, model, policy, lanes, epsValue(eps), shifted(progress, rows));
    if (coded !== undefined) onTokens?.(coded.tokens);
    // Also of a frame that is stored after all: progress must not go back.
    rows += coded?.ids.length ?? 0;
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
 * Holds options to the model and the format, before anything is read or run.
 *
 * @param {LanguageModel} model
 * @param {CompressOptions} options
 * @throws {import('../errors.mjs').LlmzipError} usage, unsupported (eps is 0 and the model is not exact)
 */
export function checkOptions({ source }, { eps, policy, lanes = 'auto', frameBytes = FRAME_BYTES }) {
  checkPolicy(policy, source.vocabSize);
  checkPlan({ lanes: lanesOf(lanes, 1), chunk: 1 });
  checkRange('frame_bytes', frameBytes, 1, MAX_FRAME_BYTES);
  if (epsValue(eps) === 0) requireExact(source.exactness);
}

/**
 * How a writer feeds known tokens: where `eps` covers what that may change, one lane after another, many inputs in one pass; else as the
 * reader will have to.
 *
 * @param {LogitsSource} source
 * @param {number} lanes
 * @param {number} eps
 * @returns {Plan}
 */
export function writerPlan({ planTolerance }, lanes, eps) {
  if (planTolerance === undefined || eps < planTolerance) return { lanes, chunk: 1 };
  // A lane at a time: a cache of one lane is the smallest, and kernels for grouped queries take many inputs of one lane only.
  return { lanes, chunk: CHUNK, batch: 1 };
}

/**
 * The decisions of each lane's tokens, the log-prob of every token, in nats, and the sum of what they stand for, in bits.
 *
 * @param {LanguageModel} model
 * @param {ContextPolicy} policy
 * @param {number} lanes
 * @param {Uint32Array} ids
 * @param {number} eps
 * @param {Progress} [progress]
 * @returns {Promise<{ paths: LanePaths[], logProbs: Float64Array, entropyBits: number }>}
 */
export async function pathsOfKnownTokens({ source }, policy, lanes, ids, eps, progress = noProgress) {
  const { vocabSize } = source;
  const guard = guardOf(eps);
  const tree = new Tree(vocabSize);
  const paths = laneLengths(ids.length, Math.min(lanes, ids.length)).map((n) => emptyLanePaths(n, tree.depth, guard));
  const scratch = new Float64Array(vocabSize);
  const logProbs = new Float64Array(ids.length);
  let nats = 0;
  let done = 0;
  const plan = writerPlan(source, lanes, eps);
  for await (const { index, lane, step, logits } of rowsOfKnownTokens(source, policy, plan, ids)) {
    logProbs[index] = path(asRow(logits, scratch), ids[index], paths[lane], step, tree);
    nats -= logProbs[index];
    done += 1;
    progress(done, ids.length);
  }
  return { paths, logProbs, entropyBits: nats / Math.LN2 };
}

/**
 * A coded frame, or nothing where a frame of this kind cannot be.
 *
 * @param {Uint8Array} plain
 * @param {LanguageModel} model
 * @param {ContextPolicy} policy
 * @param {import('./lanes.mjs').Lanes} lanes
 * @param {number} eps
 * @param {Progress} progress
 */
async function codeFrame(plain, model, policy, lanes, eps, progress) {
  const split = splitRuns(plain, model.tokenizer);
  if (split.ids.length === 0 || split.ids.length > plain.length) return undefined;
  const ids = Uint32Array.from(split.ids);
  const count = lanesOf(lanes, ids.length);
  const { paths, logProbs, entropyBits } = await pathsOfKnownTokens(model, policy, count, ids, eps, progress);
  const { cells, block } = chooseParameters(paths, WRITER_OFFSETS, eps);
  const grid = new Grid(cells, WRITER_OFFSETS, eps);
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
  const streamBytes = streams.reduce((sum, stream) => sum + stream.length, 0);
  return { bytes, ids, tokens: { ...split, logProbs }, entropyBits, streamBytes };
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
    offsets: WRITER_OFFSETS,
    startToken,
    window,
    overlap,
    fingerprint: model.fingerprint,
  };
}
