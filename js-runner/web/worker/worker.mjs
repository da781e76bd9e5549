/**
 * The page's worker: does all the work, one request after the other. It is ended by its end.
 *
 * Owns the messages; the page's end of them is `page/engine.mjs`.
 *
 * @module
 */

import { asLlmzipError, UsageError } from '../../src/core/errors.mjs';
import { PageModel } from './model.mjs';
import { compressFile, decompressFile } from './transfer.mjs';

/** @typedef {import('./tokens.mjs').TokenCosts} TokenCosts */

/**
 * What the page asks for. The first message is `open`.
 *
 * @typedef {{ id: number, op: 'open', runtimeFiles: { mjs: string, wasm: string }, base: string, threads: number, dtype: string | undefined }
 *   | { id: number, op: 'compress', input: Blob, dtype: string | undefined }
 *   | { id: number, op: 'decompress', input: Blob }
 *   | { id: number, op: 'pieces', start: number, count: number }} Request
 */

/**
 * What the page is told: how far a request is, and at last its result or its error.
 *
 * @typedef {{ id: number, stage: string } | { id: number, fetched: number, total: number }
 *   | { id: number, done: number, tokens: number, seconds: number } | { id: number, result: any }
 *   | { id: number, error: { code: string, message: string, hint: string } }} Reply
 */

const PROGRESS_MILLISECONDS = 100;

/** @type {PageModel | undefined} */
let model;
/** Of the last text that was compressed. @type {TokenCosts | undefined} */
let costs;
/** @type {Promise<unknown>} */
let last = Promise.resolve();

globalThis.addEventListener('message', (/** @type {MessageEvent<Request>} */ { data }) => {
  last = last.then(() => answer(data));
});

/** @param {Request} request */
async function answer(request) {
  const { id } = request;
  try {
    reply({ id, result: await resultOf(request) });
  } catch (thrown) {
    const { code, message, hint } = asLlmzipError(thrown);
    reply({ id, error: { code, message, hint } });
  }
}

/**
 * @param {Request} request
 * @returns {Promise<object>}
 */
async function resultOf(request) {
  const talk = talkOf(request.id);
  if (request.op === 'open') {
    // Memory that WebAssembly was given once is never given back: the next graph must find it free.
    await model?.close();
    model = new PageModel(new URL(request.base), request.runtimeFiles, request.threads);
    const variant = await model.variant(request.dtype);
    return model.story(variant, await model.load(variant, talk.fetched));
  }
  if (!model) throw new UsageError('no model is open', 'load the page again');
  if (request.op === 'pieces') {
    if (!costs) throw new UsageError('no text was compressed', 'compress one first');
    return costs.pieces(request.start, request.count);
  }
  if (request.op === 'decompress') return decompressFile(model, request.input, talk);
  costs = undefined;
  const { costs: found, ...rest } = await compressFile(model, request.input, request.dtype, talk);
  costs = found;
  const { count, bits, literalBytes } = found;
  return { ...rest, tokens: { count, bits, literalBytes, overview: found.overview(), surprises: found.surprises() } };
}

/**
 * @param {number} id
 * @returns {import('./transfer.mjs').Talk}
 */
function talkOf(id) {
  let next = 0;
  let started = performance.now();
  const isDue = () => {
    const now = performance.now();
    if (now < next) return false;
    next = now + PROGRESS_MILLISECONDS;
    return true;
  };
  return {
    stage: (stage) => {
      started = performance.now();
      reply({ id, stage });
    },
    fetched: (fetched, total) => {
      if (isDue()) reply({ id, fetched, total });
    },
    progress: (done, tokens) => {
      if (isDue()) reply({ id, done, tokens, seconds: (performance.now() - started) / 1000 });
    },
  };
}

/** @param {Reply} message */
function reply(message) {
  globalThis.postMessage(message);
}
