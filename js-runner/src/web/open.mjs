/**
 * A graph opened by one of onnxruntime-web's builds. Owns the options; which build it is, is the caller's choice.
 *
 * @module
 */

import { tensorInfo } from '../core/model/signature.mjs';

/** @typedef {import('../core/model/session.mjs').Session} Session */
/** @typedef {typeof import('onnxruntime-web')} Runtime */

/**
 * @typedef {object} WasmOptions
 * @property {number} [threads] inside an operator; more than 1 needs a page that is cross-origin isolated, or Node
 * @property {ReadonlyMap<string, Uint8Array>} [data] files of weights, by the names that the graph has for them
 * @property {'disabled' | 'basic' | 'extended' | 'all'} [graphOptimization]
 */

const LOG_ERRORS_ONLY = 3;

/**
 * @param {Pick<Runtime, 'env' | 'InferenceSession'>} ort
 * @param {'wasm' | 'webgpu'} provider
 * @param {Uint8Array} bytes an ONNX file
 * @param {WasmOptions} [options]
 * @returns {Promise<import('../core/model/load.mjs').OpenSession>}
 */
export async function openWith(ort, provider, bytes, options = {}) {
  const { threads = 1, graphOptimization = 'all', data = new Map() } = options;
  // The number of threads is the module's, and is read when its first session is made.
  ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: [provider],
    graphOptimizationLevel: graphOptimization,
    logSeverityLevel: LOG_ERRORS_ONLY,
    externalData: Array.from(data, ([path, content]) => ({ path, data: content })),
  });
  // The packages' tensors have the same form, not the same class.
  const { run } = /** @type {Session} */ (/** @type {unknown} */ (session));
  return {
    run: run.bind(session),
    inputs: session.inputMetadata.map(tensorInfo),
    outputs: session.outputMetadata.map(tensorInfo),
    dispose: () => session.release(),
  };
}
