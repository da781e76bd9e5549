/**
 * Whether a graph is taken as exact: its logits are the same bits on every engine, in every plan (EXACT.md).
 *
 * Owns the ops that may occur and what relies on exactness; the full proof is the checker's, when the graph is built.
 *
 * @module
 */

import { UnsupportedError } from '../errors.mjs';

/** @typedef {{ exact: boolean, reason: string }} Exactness whether logits are the same bits everywhere, and why or why not */

export const METADATA_KEY = 'llmzip.exact';
export const RULES_VERSION = '1';

/** @type {ReadonlySet<string>} */
export const EXACT_OPS = new Set([
  ...['Abs', 'Add', 'And', 'Cast', 'Clip', 'Concat', 'Constant', 'ConstantOfShape', 'DequantizeLinear', 'Div', 'Equal'],
  ...['Expand', 'Floor', 'Gather', 'Greater', 'GreaterOrEqual', 'Identity', 'Less', 'LessOrEqual', 'MatMulInteger'],
  ...['Max', 'Min', 'Mul', 'Neg', 'Not', 'Or', 'QuantizeLinear', 'Range', 'ReduceMax', 'ReduceMin', 'ReduceSum'],
  ...['Relu', 'Reshape', 'Round', 'Shape', 'Slice', 'Split', 'Sqrt', 'Squeeze', 'Sub', 'Tile', 'Transpose'],
  ...['Unsqueeze', 'Where'],
]);

// Of a version that is not known, as much as a message needs.
const SHOWN_VERSION = 40;

/**
 * Judges a graph.
 *
 * @param {Readonly<Record<string, string>>} metadata its `metadata_props`
 * @param {Iterable<string>} ops those of all its nodes, as `op` or `domain::op`
 * @returns {Exactness}
 */
export function readExactness(metadata, ops) {
  if (!Object.hasOwn(metadata, METADATA_KEY)) {
    return { exact: false, reason: 'the graph does not say that it is exact' };
  }
  const version = metadata[METADATA_KEY];
  if (version !== RULES_VERSION) {
    const shown = Array.from(version).slice(0, SHOWN_VERSION).join('');
    const reason = `the graph follows version ${shown} of the rules, which this runner does not know`;
    return { exact: false, reason };
  }
  const [other] = Array.from(ops)
    .filter((op) => !EXACT_OPS.has(op))
    .sort();
  if (other !== undefined) {
    return { exact: false, reason: `the graph says that it is exact, but has the op ${other}` };
  }
  return { exact: true, reason: `the graph says so (${METADATA_KEY} ${RULES_VERSION}) and has only exact ops` };
}

/**
 * Holds a source to what a container with eps 0 needs.
 *
 * @param {Exactness} exactness
 * @throws {UnsupportedError} the logits are not the same bits everywhere
 */
export function requireExact({ exact, reason }) {
  if (exact) return;
  throw new UnsupportedError(
    `eps 0 relies on logits that are the same bits everywhere, but ${reason}`,
    "use the model's variant exact, or an eps above 0",
  );
}
