/**
 * Sessions in onnxruntime-web's WebGPU build, which runs in browsers alone.
 *
 * Owns the choice of that build; what its options mean is `open`'s.
 *
 * @module
 */

import * as ort from 'onnxruntime-web/webgpu';
import { openWith } from './open.mjs';

/** The build, for what else is to be set or read of it. */
export const runtime = ort;

/**
 * Opens a graph. What the provider lacks runs in WebAssembly, in one thread.
 *
 * @param {Uint8Array} bytes an ONNX file
 * @param {import('./open.mjs').WasmOptions} [options]
 * @returns {Promise<import('../core/model/load.mjs').OpenSession>}
 */
export async function openWebgpuSession(bytes, options) {
  return openWith(ort, 'webgpu', bytes, options);
}
