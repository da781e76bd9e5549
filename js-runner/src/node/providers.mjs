/**
 * The execution providers: their names, and what is said of one that is not here.
 *
 * Owns the choice of what ONNX Runtime runs a graph on; makes no session.
 *
 * @module
 */

import { reason, UnsupportedError } from '../core/errors.mjs';
import { CPU } from '../core/model/load.mjs';

/**
 * By the name here, on every command line and in the protocol: the name in ONNX Runtime. Which of them there are is the build's, and the
 * machine's.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const PROVIDERS = Object.freeze({
  [CPU]: 'CPUExecutionProvider',
  cuda: 'CUDAExecutionProvider',
  tensorrt: 'TensorrtExecutionProvider',
  coreml: 'CoreMLExecutionProvider',
  dml: 'DmlExecutionProvider',
  migraphx: 'MIGraphXExecutionProvider',
  openvino: 'OpenVINOExecutionProvider',
  qnn: 'QNNExecutionProvider',
  webgpu: 'WebGpuExecutionProvider',
  xnnpack: 'XnnpackExecutionProvider',
});

const USE_CPU = 'use the provider cpu, or a machine and a graph that the provider can serve';

/**
 * @param {string} name
 * @throws {UnsupportedError} nobody knows it
 */
export function checkProvider(name) {
  if (!Object.hasOwn(PROVIDERS, name)) {
    throw new UnsupportedError(
      `there is no execution provider "${name}"`,
      `use one of ${Object.keys(PROVIDERS).join(', ')}`,
    );
  }
}

/**
 * What is wrong with a provider that no session could be made with. transformers.js refuses those that its build for this system lacks
 * before ONNX Runtime is asked.
 *
 * @param {string} name
 * @param {unknown} cause
 */
export function unusableProvider(name, cause) {
  const why = reason(cause);
  return why.startsWith('Unsupported device')
    ? new UnsupportedError(
        `the execution provider ${name} is not in this build of ONNX Runtime`,
        'use the provider cpu, or another runner whose build has it',
        cause,
      )
    : new UnsupportedError(`the execution provider ${name} cannot be used here: ${why}`, USE_CPU, cause);
}

/**
 * Holds a session to the provider that was asked for.
 *
 * @param {string} name
 * @param {ReadonlyMap<string, number>} nodes how many nodes of a graph each provider ran, by its name in ONNX Runtime
 * @throws {UnsupportedError} it ran none: ONNX Runtime says nothing of itself when the CPU does all
 */
export function checkTookPart(name, nodes) {
  if (nodes.get(PROVIDERS[name])) return;
  const total = [...nodes.values()].reduce((sum, count) => sum + count, 0);
  throw new UnsupportedError(
    `ONNX Runtime gave none of the graph's ${total} nodes to the execution provider ${name}: it fell back to the CPU`,
    USE_CPU,
  );
}
