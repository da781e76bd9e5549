/**
 * What a graph declares, as text for people. Owns the layout only.
 *
 * @module
 */

/** @typedef {import('../core/model/graph.mjs').TensorInfo} TensorInfo */

/**
 * @param {import('./loader.mjs').Inspection} inspection
 * @param {string} name the model's
 * @param {string} file the graph's
 * @returns {string}
 */
export function formatInspection(inspection, name, file) {
  const { inputs, outputs, opset, ops, batch_policy: policy, exactness, provider } = inspection;
  const versions = Object.entries(opset).map(([domain, version]) => `${domain || 'ai.onnx'} ${version}`);
  return [
    `model: ${name}, ${file}`,
    `provider: ${provider}`,
    `batch: ${policy.batch} (${policy.reason})`,
    `exact: ${exactness.exact ? 'yes' : 'no'} (${exactness.reason})`,
    `opset: ${versions.join(', ')}`,
    'inputs:',
    ...formatTensors(inputs),
    'outputs:',
    ...formatTensors(outputs),
    'ops:',
    ...Object.entries(ops).map(([op, count]) => `  ${String(count).padStart(6)}  ${op}`),
  ].join('\n');
}

/** @param {TensorInfo[]} tensors */
function formatTensors(tensors) {
  const width = Math.max(...tensors.map(({ name }) => name.length));
  return tensors.map(({ name, type, shape }) => `  ${name.padEnd(width)}  ${type.padEnd(8)}  [${shape.join(', ')}]`);
}
