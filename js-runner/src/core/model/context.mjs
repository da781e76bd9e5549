/**
 * The context policy and the plans (FORMAT.md section 4): which inputs are fed together, after what, and which row predicts which
 * token.
 *
 * Owns windows, lanes and chunks; knows neither ONNX nor the codec.
 *
 * @module
 */

import { UsageError } from '../errors.mjs';

/** @typedef {import('./source.mjs').Logits} Logits */
/** @typedef {import('./source.mjs').LogitsSource} LogitsSource */
/** @typedef {{ startToken: number, window: number, overlap: number }} ContextPolicy */
/**
 * How known tokens are fed: lanes, new inputs of a lane per pass, and the most lanes at once where the source takes as many.
 *
 * @typedef {{ lanes: number, chunk: number, batch?: number }} Plan
 */

/**
 * Inputs that are fed at once: `start .. start + length - 1` of the first `lanes` lanes. With `reset`, the cache is emptied before
 * and the `warmUp` inputs before `start` are fed to it.
 *
 * @typedef {{ start: number, length: number, lanes: number, reset: boolean, warmUp: number }} Pass
 */

/**
 * The row that predicts a token: `index` counts all tokens, `step` those of its lane.
 *
 * @typedef {{ index: number, lane: number, step: number, logits: Logits }} PredictedToken
 */

/**
 * A lane's number, the number of its first token among all, and its tokens.
 *
 * @typedef {{ lane: number, first: number, ids: Uint32Array | number[] }} Lane
 */

/** The most lanes, and the longest window, that a container can state (FORMAT.md section 2). */
export const MAX_LANES = 256;
export const MAX_WINDOW = 2 ** 20;
/** Bytes of the cache of the lanes that are fed at once, unless one lane alone takes more: a pass holds it two or three times. */
const MAX_CACHE_BYTES = 192 * 2 ** 20;
/** Rows of a pass of a warm-up, unless there are more lanes: their logits are not used, but take memory. */
const WARM_UP_ROWS = 256;

/**
 * Tokens of lane `i` of `lanes`.
 *
 * @param {number} tokens
 * @param {number} lanes
 * @param {number} i
 * @returns {number}
 */
function laneLength(tokens, lanes, i) {
  return Math.floor(tokens / lanes) + Number(i < tokens % lanes);
}

/**
 * Tokens of each lane, in order.
 *
 * @param {number} tokens
 * @param {number} lanes
 * @returns {number[]}
 */
export function laneLengths(tokens, lanes) {
  return Array.from({ length: lanes }, (_, i) => laneLength(tokens, lanes, i));
}

/**
 * @param {ContextPolicy} policy
 * @param {number} vocabSize
 * @throws {UsageError} a container could not hold it
 */
export function checkPolicy({ startToken, window, overlap }, vocabSize) {
  checkRange('the window', window, 2, MAX_WINDOW);
  checkRange('the overlap', overlap, 0, window - 1);
  checkRange('the start token', startToken, 0, vocabSize - 1);
}

/**
 * @param {Plan} plan
 * @throws {UsageError} it makes no sense
 */
export function checkPlan({ lanes, chunk }) {
  checkRange('the number of lanes', lanes, 1, MAX_LANES);
  checkRange('the chunk', chunk, 1, Number.MAX_SAFE_INTEGER);
}

/**
 * @param {string} what
 * @param {number} value
 * @param {number} least
 * @param {number} most
 * @throws {UsageError}
 */
export function checkRange(what, value, least, most) {
  if (!(Number.isInteger(value) && value >= least && value <= most)) {
    throw new UsageError(`${what} is ${value}`, `give ${least} .. ${most}`);
  }
}

/**
 * The passes of a batch of lanes.
 *
 * @param {number[]} lengths tokens of each lane, none longer than the one before it
 * @param {ContextPolicy} policy
 * @param {number} chunk
 * @returns {Generator<Pass>}
 */
export function* passes(lengths, { window, overlap }, chunk) {
  let start = 0;
  let windowStart = 0;
  let windowEnd = window;
  while (start < lengths[0]) {
    const lanes = lengths.filter((length) => length > start).length;
    const length = Math.min(chunk, windowEnd - start, lengths[lanes - 1] - start);
    const reset = start === windowStart;
    yield { start, length, lanes, reset, warmUp: reset && start > 0 ? overlap : 0 };
    start += length;
    if (start === windowEnd) {
      windowStart = start;
      windowEnd += window - overlap;
    }
  }
}

/**
 * Feeds known tokens and gives the row that predicts each of them, lane by lane within a pass.
 *
 * @param {LogitsSource} source
 * @param {ContextPolicy} policy
 * @param {Plan} plan
 * @param {Uint32Array} ids
 * @returns {AsyncGenerator<PredictedToken>}
 */
export async function* rowsOfKnownTokens(source, policy, plan, ids) {
  const lanes = cutIntoLanes(ids, laneLengths(ids.length, Math.min(plan.lanes, ids.length)));
  for (const batch of batches(source, policy, lanes, plan.batch)) {
    const feeder = new Feeder(source, policy, batch);
    const lengths = batch.map((lane) => lane.ids.length);
    for (const pass of passes(lengths, policy, plan.chunk)) {
      const logits = await feeder.feed(pass);
      for (let i = 0; i < pass.lanes; i++) {
        for (let j = 0; j < pass.length; j++) {
          const row = (i * pass.length + j) * source.vocabSize;
          const step = pass.start + j;
          yield {
            index: batch[i].first + step,
            lane: batch[i].lane,
            step,
            logits: logits.subarray(row, row + source.vocabSize),
          };
        }
      }
    }
  }
}

/**
 * Decodes lanes in lockstep: `decide` gets the row that predicts the next token of a lane and says which one it is.
 *
 * @param {LogitsSource} source
 * @param {ContextPolicy} policy
 * @param {number[]} lengths tokens of each lane
 * @param {(lane: number, logits: Logits) => number} decide
 * @returns {Promise<Uint32Array>} all tokens, lane after lane
 */
export async function decodeInLockstep(source, policy, lengths, decide) {
  const ids = new Uint32Array(lengths.reduce((sum, length) => sum + length, 0));
  for (const batch of batches(source, policy, cutIntoLanes(ids, lengths))) {
    const feeder = new Feeder(source, policy, batch);
    const batchLengths = batch.map((lane) => lane.ids.length);
    for (const pass of passes(batchLengths, policy, 1)) {
      const logits = await feeder.feed(pass);
      for (let i = 0; i < pass.lanes; i++) {
        const row = logits.subarray(i * source.vocabSize, (i + 1) * source.vocabSize);
        batch[i].ids[pass.start] = decide(batch[i].lane, row);
      }
    }
  }
  return ids;
}

/**
 * Views of each lane's tokens.
 *
 * @param {Uint32Array} ids
 * @param {number[]} lengths
 * @returns {Lane[]}
 */
function cutIntoLanes(ids, lengths) {
  let first = 0;
  return lengths.map((length, lane) => {
    const cut = { lane, first, ids: ids.subarray(first, first + length) };
    first += length;
    return cut;
  });
}

/**
 * Which lanes are fed together: as many as the source takes at once and memory allows, but at most so many, in order.
 *
 * @param {LogitsSource} source
 * @param {ContextPolicy} policy
 * @param {Lane[]} lanes
 * @param {number} [most]
 * @returns {Lane[][]}
 */
function batches(source, { window }, lanes, most = lanes.length) {
  const cacheBytes = (source.cacheBytes ?? 0) * Math.min(window, lanes[0]?.ids.length ?? 0);
  const fitting = cacheBytes > 0 ? Math.max(Math.floor(MAX_CACHE_BYTES / cacheBytes), 1) : lanes.length;
  const size = Math.min(source.maxBatch, lanes.length, most, fitting);
  return lanes.flatMap((_, first) => (first % size === 0 ? [lanes.slice(first, first + size)] : []));
}

/** Feeds the passes of a batch, one after another. */
export class Feeder {
  #source;
  #policy;
  #lanes;
  #batch = 0;

  /**
   * @param {LogitsSource} source
   * @param {ContextPolicy} policy
   * @param {Lane[]} lanes their tokens, as far as they are known when they are fed
   */
  constructor(source, policy, lanes) {
    this.#source = source;
    this.#policy = policy;
    this.#lanes = lanes;
  }

  /**
   * @param {Pass} pass
   * @returns {Promise<Logits>} `[lanes, length, V]`
   */
  async feed(pass) {
    if (pass.reset) {
      this.#source.reset(pass.lanes);
      // Kernels for grouped queries take many inputs after a past of one lane only.
      const chunk = pass.lanes === 1 || pass.lanes * pass.warmUp <= WARM_UP_ROWS ? WARM_UP_ROWS : 1;
      for (let start = pass.start - pass.warmUp; start < pass.start; start += chunk) {
        const length = Math.min(chunk, pass.start - start);
        await this.#source.feed(this.#inputs(pass.lanes, start, length), length);
      }
    } else if (pass.lanes < this.#batch) {
      this.#source.keepLanes(pass.lanes);
    }
    this.#batch = pass.lanes;
    return this.#source.feed(this.#inputs(pass.lanes, pass.start, pass.length), pass.length);
  }

  /**
   * Inputs `start .. start + length - 1` of the first lanes, `[lanes, length]`.
   *
   * @param {number} lanes
   * @param {number} start
   * @param {number} length
   */
  #inputs(lanes, start, length) {
    const inputs = new Uint32Array(lanes * length);
    for (let i = 0; i < lanes; i++) {
      for (let j = 0; j < length; j++) {
        const step = start + j;
        inputs[i * length + j] = step === 0 ? this.#policy.startToken : this.#lanes[i].ids[step - 1];
      }
    }
    return inputs;
  }
}
