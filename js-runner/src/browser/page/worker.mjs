/**
 * The runner inside the page: takes one request after the other from the bridge and answers it with `core`'s operations.
 *
 * Owns the loop and what the operations are given of the browser; which build of ONNX Runtime it has is the entry's choice.
 *
 * @module
 */

import { asLlmzipError, reason } from '../../core/errors.mjs';
import { loadModelWith } from '../../core/model/load.mjs';
import { Operations } from '../../core/runner/operations.mjs';
import { systemSha256, TOKENIZER_VERSION, webEngine } from '../../web/engine.mjs';
import { call, post, readRemote, readWhole, withRemoteOutputs } from './remote-files.mjs';

/** @typedef {import('../../web/engine.mjs').Build} Build */
/** @typedef {import('./remote-files.mjs').Connection} Connection */
/** @typedef {import('../../core/runner/operations.mjs').RunnerHost} RunnerHost */

/**
 * What the page cannot know of itself.
 *
 * @typedef {object} Surroundings
 * @property {string} name of the runner
 * @property {string} browser with its version
 * @property {string} os
 * @property {boolean} windowsPaths
 * @property {{ mjs: string, wasm: string }} runtimeFiles of the build, relative to the page
 */

const PROGRESS_MILLISECONDS = 100;
const WINDOWS_ABSOLUTE = /^([A-Za-z]:)?[\\/]/;

/**
 * @param {Build} build
 * @returns {Promise<never>}
 */
export async function serve(build) {
  /** @type {Connection} */
  const connection = { base: new URL('.', globalThis.location.href), request: 0 };
  globalThis.addEventListener('unhandledrejection', (event) => {
    void post(connection, 'failed', `a promise of the worker was rejected: ${reason(event.reason)}`).catch(() => {});
  });
  /** @type {Surroundings} */
  const surroundings = await (await call(connection, 'surroundings')).json();
  const { mjs, wasm } = surroundings.runtimeFiles;
  build.runtime.env.wasm.wasmPaths = {
    mjs: new URL(mjs, connection.base).href,
    wasm: new URL(wasm, connection.base).href,
  };
  const operations = new Operations(hostOf(connection, surroundings, build));
  for (;;) {
    const { id, op, params } = await (await post(connection, 'next', null)).json();
    connection.request = id;
    await post(connection, 'reply', await answer(connection, operations, op, params));
  }
}

/**
 * @param {Connection} connection
 * @param {Operations} operations
 * @param {string} op
 * @param {unknown} params
 * @returns {Promise<object>}
 */
async function answer(connection, operations, op, params) {
  let next = 0;
  /** @type {Promise<unknown>} */
  let sent = Promise.resolve();
  try {
    const result = await operations.run(op, params, (done, total) => {
      const now = performance.now();
      if (now < next) return;
      next = now + PROGRESS_MILLISECONDS;
      sent = sent.then(() => post(connection, 'progress', { done, total })).catch(() => {});
    });
    return { result };
  } catch (thrown) {
    const { code, message, hint, cause, stack } = asLlmzipError(thrown);
    const detail = code !== 'internal' ? undefined : cause instanceof Error ? cause.stack : stack;
    return { error: { code, message, hint, ...(detail !== undefined && { detail }) } };
  } finally {
    // So that none comes behind the answer.
    await sent;
  }
}

/**
 * @param {Connection} connection
 * @param {Surroundings} surroundings
 * @param {Build} build
 * @returns {RunnerHost}
 */
function hostOf(connection, { name, browser, os, windowsPaths }, build) {
  /** @type {import('../../core/model/model-files.mjs').ModelFolder} */
  const folder = {
    readModelFile: (path) => readWhole(connection, path),
    sha256: systemSha256,
    beside: (path, file) => `${path.slice(0, path.lastIndexOf('/'))}/${file}`,
    join: (parent, file) => `${parent}/${file}`,
  };
  const engine = webEngine(build);
  return {
    name,
    isAbsolute: (path) => (windowsPaths ? WINDOWS_ABSOLUTE.test(path) : path.startsWith('/')),
    fingerprint: (settings, versions) => ({
      language: 'javascript',
      language_version: browser,
      runtime: 'onnxruntime-web',
      runtime_version: versions?.runtime ?? null,
      provider: settings?.provider ?? null,
      threads: settings?.threads ?? null,
      graph_optimization: settings?.graphOptimization ?? null,
      os,
      arch: 'wasm',
      // A page is not told.
      cpu_features: [],
      tokenizer: 'transformers.js',
      tokenizer_version: versions ? TOKENIZER_VERSION : null,
    }),
    loadModel: (modelDir, modelFile, settings, expected) =>
      loadModelWith(folder, engine, modelDir, modelFile, settings, expected),
    readPieces: (path) => readRemote(connection, path),
    withOutputFiles: (paths, work) => withRemoteOutputs(connection, paths, work),
  };
}
