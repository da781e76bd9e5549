/**
 * How long a model takes to compress and to decompress some bytes, how much of that is spent inside its session, and how long the
 * session takes for the same passes when nobody looks at the logits.
 *
 * Owns the clock. Runs what `compressor` has, and changes nothing of it.
 *
 * @module
 */

import { decompress } from './compressor/decode.mjs';
import { checkOptions, compress, writerPlan } from './compressor/encode.mjs';
import { lanesOf } from './compressor/lanes.mjs';
import { epsValue } from './container/eps.mjs';
import { MAX_FRAME_BYTES } from './container/layout.mjs';
import { splitRuns } from './container/runs.mjs';
import { UsageError } from './errors.mjs';
import { rowsOfKnownTokens } from './model/context.mjs';

/** @typedef {import('./compressor/encode.mjs').CompressOptions} CompressOptions */
/** @typedef {import('./compressor/progress.mjs').Progress} Progress */
/** @typedef {import('./model/context.mjs').Plan} Plan */
/** @typedef {import('./model/source.mjs').LanguageModel} LanguageModel */
/** @typedef {import('./model/source.mjs').LogitsSource} LogitsSource */

/**
 * One way through a container, beside the passes alone. All in seconds.
 *
 * @typedef {{ elapsed_s: number, session_s: number, passes_s: number }} Timed
 */

/**
 * What was measured: a `Timed` of each run, both ways.
 *
 * @typedef {{ plain_bytes: number, container_bytes: number, tokens: number, encode: Timed[], decode: Timed[] }} Timing
 */

const now = () => performance.now() / 1000;

/**
 * Compresses `plain`, which is one frame, and decompresses the container, in memory, `runs` times; every time beside the passes alone,
 * which come first in every other run. One round of passes goes before, uncounted, to warm up.
 *
 * @param {Uint8Array} plain
 * @param {LanguageModel} model
 * @param {Omit<CompressOptions, 'frameBytes'>} settings
 * @param {number} runs
 * @param {Progress} progress
 * @returns {Promise<Timing>}
 * @throws {import('./errors.mjs').LlmzipError} usage (`plain` is longer than a frame, or nothing of it would be coded), and whatever
 *   `compress` and `decompress` throw; what can be refused is, before the first pass
 */
export async function timeRoundTrips(plain, model, settings, runs, progress) {
  if (plain.length > MAX_FRAME_BYTES) {
    throw new UsageError(
      `${plain.length} bytes are more than a frame's ${MAX_FRAME_BYTES}, and what is timed is one frame`,
      'give a shorter input',
    );
  }
  const options = { ...settings, frameBytes: MAX_FRAME_BYTES };
  checkOptions(model, options);
  const ids = Uint32Array.from(splitRuns(plain, model.tokenizer).ids);
  const lanes = lanesOf(settings.lanes ?? 'auto', ids.length);
  const writing = writerPlan(model.source, lanes, epsValue(settings.eps));
  const reading = { lanes, chunk: 1 };
  const { source, spent } = timedSource(model.source);
  const timedModel = { ...model, source };
  // Of each run: a container written and read, and the passes of both; and those that warm up.
  const total = ids.length * (4 * runs + 1);
  let done = 0;

  /** @param {Plan} plan */
  const passes = async (plan) => {
    const start = now();
    for await (const _ of rowsOfKnownTokens(model.source, settings.policy, plan, ids)) {
      done += 1;
      progress(done, total);
    }
    return now() - start;
  };

  /**
   * @param {Plan} plan
   * @param {boolean} passesFirst
   * @param {(report: Progress) => Promise<void>} work
   * @returns {Promise<Timed>}
   */
  const besidePasses = async (plan, passesFirst, work) => {
    const before = passesFirst ? await passes(plan) : undefined;
    const base = done;
    spent.seconds = 0;
    const start = now();
    await work((rows) => progress(base + rows, total));
    const elapsed = now() - start;
    const session = spent.seconds;
    done = base + ids.length;
    return { elapsed_s: elapsed, session_s: session, passes_s: before ?? (await passes(plan)) };
  };

  /** @type {Timing} */
  const timing = { plain_bytes: plain.length, container_bytes: 0, tokens: ids.length, encode: [], decode: [] };
  await passes(writing);
  for (let run = 0; run < runs; run++) {
    /** @type {Uint8Array[]} */
    const container = [];
    const encode = await besidePasses(writing, run % 2 === 1, async (report) => {
      const written = await compress([plain], (bytes) => void container.push(bytes), timedModel, options, report);
      timing.container_bytes = written.container_bytes;
      if (written.tokens === 0) {
        throw new UsageError(
          'the input is stored, not coded: there is nothing to time',
          'give a longer text, of the kind that the model knows',
        );
      }
    });
    timing.encode.push(encode);
    const decode = await besidePasses(reading, run % 2 === 1, async (report) => {
      await decompress(container, () => {}, timedModel, report);
    });
    timing.decode.push(decode);
  }
  return timing;
}

/**
 * A source that adds up how long it works.
 *
 * @param {LogitsSource} inner
 * @returns {{ source: LogitsSource, spent: { seconds: number } }}
 */
function timedSource(inner) {
  const spent = { seconds: 0 };
  const { vocabSize, logitsType, maxBatch, cacheBytes, exactness, planTolerance } = inner;
  /** @type {LogitsSource} */
  const source = {
    vocabSize,
    logitsType,
    maxBatch,
    cacheBytes,
    exactness,
    planTolerance,
    reset: (batch) => {
      const start = now();
      inner.reset(batch);
      spent.seconds += now() - start;
    },
    keepLanes: (batch) => {
      const start = now();
      inner.keepLanes(batch);
      spent.seconds += now() - start;
    },
    feed: async (ids, length) => {
      const start = now();
      const logits = await inner.feed(ids, length);
      spent.seconds += now() - start;
      return logits;
    },
  };
  return { source, spent };
}
