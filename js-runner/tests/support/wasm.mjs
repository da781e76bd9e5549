/** ONNX sessions in onnxruntime-web's WebAssembly, which shares no kernel with onnxruntime-node; one thread. */

import * as ort from 'onnxruntime-web/wasm';
import { SessionSource } from '../../src/core/model/session.mjs';
import { readSignature } from '../../src/core/model/signature.mjs';

ort.env.wasm.numThreads = 1;

/**
 * The logits of a loaded model's graph in WebAssembly.
 *
 * @param {import('../../src/node/loader.mjs').LoadedModel} native the same graph in onnxruntime-node
 * @param {Uint8Array} bytes the ONNX file
 * @param {Record<string, unknown>} config the parsed config.json
 * @param {ort.InferenceSession.SessionOptions['graphOptimizationLevel']} [graphOptimizationLevel]
 */
export async function openInWasm(native, bytes, config, graphOptimizationLevel = 'all') {
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'], graphOptimizationLevel });
  const { inputs, outputs, exactness } = native.inspection;
  const run = (/** @type {import('onnxruntime-common').InferenceSession.FeedsType} */ feeds) =>
    session.run(/** @type {ort.InferenceSession.FeedsType} */ (/** @type {unknown} */ (feeds)));
  const source = new SessionSource(
    /** @type {import('../../src/core/model/session.mjs').Session} */ (/** @type {unknown} */ ({ run })),
    readSignature(inputs, outputs, config),
    exactness,
  );
  return { source, dispose: () => session.release() };
}
