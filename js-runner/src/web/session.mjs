/**
 * Sessions in onnxruntime-web's WebAssembly, which runs in browsers and in Node.
 *
 * Owns the choice of that build and its options; what is fed to a session is `core/model/session`'s.
 *
 * @module
 */

import * as ort from 'onnxruntime-web/wasm';
import { tensorInfo } from '../core/model/signature.mjs';

/** @typedef {import('../core/model/graph.mjs').TensorInfo} TensorInfo */
/** @typedef {import('../core/model/session.mjs').Session} Session */

/**
 * @typedef {object} WasmOptions
 * @property {number} [threads] inside an operator; more than 1 needs a page that is cross-origin isolated, or Node
 * @property {ReadonlyMap<string, Uint8Array>} [data] files of weights, by the names that the graph has for them
 * @property {'disabled' | 'basic' | 'extended' | 'all'} [graphOptimization]
 */

/**
 * Opens a graph.
 *
 * @param {Uint8Array} bytes an ONNX file
 * @param {WasmOptions} [options]
 * @returns {Promise<Session & { inputs: TensorInfo[], outputs: TensorInfo[], dispose: () => Promise<void> }>}
 */
export async function openWasmSession(bytes, { threads = 1, graphOptimization = 'all', data = new Map() } = {}) {
  // The number of threads is the module's, and is read when its first session is made.
  ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: graphOptimization,
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
