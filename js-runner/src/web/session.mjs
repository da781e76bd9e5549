/**
 * Sessions in onnxruntime-web's WebAssembly, which runs in browsers and in Node.
 *
 * Owns the choice of that build; what its options mean is `open`'s, what is fed to a session is `core/model/session`'s.
 *
 * @module
 */

import * as ort from 'onnxruntime-web/wasm';
import { openWith } from './open.mjs';

/** @typedef {import('./open.mjs').WasmOptions} WasmOptions */

/** The build, for what else is to be set or read of it. */
export const runtime = ort;

/**
 * Opens a graph.
 *
 * @param {Uint8Array} bytes an ONNX file
 * @param {WasmOptions} [options]
 * @returns {Promise<import('../core/model/load.mjs').OpenSession>}
 */
export async function openWasmSession(bytes, options) {
  return openWith(ort, 'wasm', bytes, options);
}
