/**
 * What an ONNX file holds besides weights: the tensors that it declares, opset versions, and how often each op occurs.
 *
 * Owns the reading of the file's list of nodes; computes nothing.
 *
 * @module
 */

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ModelError } from '../errors.mjs';

/**
 * A tensor as the graph declares it: the type of an element, and dimensions as numbers or symbols (`''` for one without a name).
 *
 * @typedef {{ name: string, type: string, shape: (number | string)[] }} TensorInfo
 */

/**
 * Versions by domain, `''` for the default one, and counts by `op` or `domain::op`.
 *
 * @typedef {{ opset: Record<string, number>, ops: Record<string, number> }} GraphContent
 */

const MAX_SUBGRAPH_DEPTH = 64;

/**
 * Reads the nodes of an ONNX file, those of subgraphs included; weights are skipped.
 *
 * @param {Uint8Array} model
 * @returns {GraphContent}
 * @throws {ModelError} the bytes are no ONNX file
 */
export function readGraphContent(model) {
  /** @type {Map<string, number>} */
  const opset = new Map();
  /** @type {Map<string, number>} */
  const ops = new Map();
  try {
    walk(model, {
      7: (graph) => countNodes(graph, ops, 0),
      8: (bytes) => readOpset(bytes, opset),
    });
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw new ModelError('the model file is no readable ONNX file', 'get the model again', cause);
  }
  return { opset: sorted(opset), ops: sorted(ops) };
}

/** @param {Map<string, number>} counts */
function sorted(counts) {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * @param {Uint8Array} graph
 * @param {Map<string, number>} ops
 * @param {number} depth
 */
function countNodes(graph, ops, depth) {
  if (depth > MAX_SUBGRAPH_DEPTH) {
    throw new ModelError(`the graph nests subgraphs more than ${MAX_SUBGRAPH_DEPTH} deep`, 'get the model again');
  }
  walk(graph, {
    1: (node) => {
      let type = '';
      let domain = '';
      walk(node, {
        4: (bytes) => {
          type = new TextDecoder().decode(bytes);
        },
        5: (attribute) => {
          /** @param {Uint8Array} subgraph */
          const count = (subgraph) => countNodes(subgraph, ops, depth + 1);
          walk(attribute, { 6: count, 11: count });
        },
        7: (bytes) => {
          domain = defaultDomain(new TextDecoder().decode(bytes));
        },
      });
      const name = domain === '' ? type : `${domain}::${type}`;
      ops.set(name, (ops.get(name) ?? 0) + 1);
    },
  });
}

/**
 * @param {Uint8Array} bytes an OperatorSetIdProto
 * @param {Map<string, number>} opset
 */
function readOpset(bytes, opset) {
  let domain = '';
  let version = 0;
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) domain = defaultDomain(reader.string());
    else if (field === 2) version = Number(reader.int64());
    else reader.skip(wireType, field);
  }
  opset.set(domain, version);
}

/**
 * Calls `fields[n]` with the bytes of each length-delimited field `n` of a message.
 *
 * @param {Uint8Array} message
 * @param {Record<number, (bytes: Uint8Array) => void>} fields
 */
function walk(message, fields) {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const visit = fields[field];
    if (visit && wireType === 2) visit(reader.bytes());
    else reader.skip(wireType, field);
  }
}

/** @param {string} domain */
function defaultDomain(domain) {
  return domain === 'ai.onnx' ? '' : domain;
}
