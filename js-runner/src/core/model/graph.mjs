/**
 * What an ONNX file holds besides weights: the tensors that it declares, opset versions, and how often each op occurs.
 *
 * Owns the reading of the file's list of nodes; computes nothing.
 *
 * @module
 */

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ModelError } from '../errors.mjs';
import { isExternal, readPlace } from './external.mjs';

/**
 * A tensor as the graph declares it: the type of an element, and dimensions as numbers or symbols (`''` for one without a name).
 *
 * @typedef {{ name: string, type: string, shape: (number | string)[] }} TensorInfo
 */

/**
 * What the bytes of an ONNX file tell without running it: versions by domain (`''` for the default one), counts by `op` or
 * `domain::op`, the entries of the metadata that are this project's (`llmzip.` and a name), the files beside it that hold
 * initializers of the graph (by name, the end of the part that is used, in bytes), and whether anything else lies in other files.
 *
 * @typedef {{ opset: Record<string, number>, ops: Record<string, number>, metadata: Record<string, string>, dataFiles: Record<string, number>, hiddenData: boolean }}
 *   GraphFacts
 */

const MAX_DEPTH = 32;
const MAX_NAMES = 4096;
const MAX_NAME = 256;
const OUR_METADATA = 'llmzip.';
const LENGTH_DELIMITED = 2;

/**
 * Reads an ONNX file; the memory that it takes is bounded whatever the file holds.
 *
 * @param {Uint8Array} model
 * @returns {GraphFacts}
 * @throws {ModelError} the bytes are no ONNX file, or one that is absurd
 */
export function readGraphFacts(model) {
  const facts = new Facts();
  try {
    let hasGraph = false;
    walk(model, {
      7: (graph) => {
        hasGraph = true;
        facts.readGraph(graph, 0);
      },
      8: (opset) => facts.readOpset(opset),
      14: (entry) => facts.readMetadata(entry),
      25: (fun) => facts.readFunction(fun),
    });
    if (!hasGraph) throw notOnnx('it has no graph');
  } catch (cause) {
    if (cause instanceof ModelError) throw cause;
    throw notOnnx(cause instanceof Error ? cause.message : String(cause));
  }
  return {
    opset: sorted(facts.opset),
    ops: sorted(facts.ops),
    metadata: sorted(facts.metadata),
    dataFiles: sorted(facts.dataFiles),
    hiddenData: facts.hiddenData,
  };
}

/** Gathers facts. The numbers are those of the fields in onnx.proto. */
class Facts {
  /** @type {Map<string, number>} */
  opset = new Map();
  /** @type {Map<string, number>} */
  ops = new Map();
  /** @type {Map<string, string>} */
  metadata = new Map();
  /** @type {Map<string, number>} */
  dataFiles = new Map();
  hiddenData = false;

  /**
   * @param {Uint8Array} graph
   * @param {number} depth
   */
  readGraph(graph, depth) {
    if (depth > MAX_DEPTH) throw notOnnx(`its graphs are nested more than ${MAX_DEPTH} deep`);
    walk(graph, {
      1: (node) => this.#readNode(node, depth),
      5: (tensor) => {
        if (depth > 0) this.#readTensor(tensor);
        else if (isExternal(tensor)) readPlace(tensor, this.dataFiles);
      },
      15: (sparse) => this.#readSparseTensor(sparse),
    });
  }

  /**
   * A function's nodes are not counted, its calls are; but its constants may lie in other files too.
   *
   * @param {Uint8Array} fun
   */
  readFunction(fun) {
    const body = new Facts();
    walk(fun, { 7: (node) => body.#readNode(node, 1) });
    this.hiddenData ||= body.hiddenData;
  }

  /** @param {Uint8Array} bytes */
  readOpset(bytes) {
    let domain = '';
    let version = 0;
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1 && wireType === LENGTH_DELIMITED) domain = domainOf(reader.bytes());
      else if (field === 2 && wireType === 0) version = Number(reader.int64());
      else reader.skip(wireType, field);
    }
    add(this.opset, domain, version);
  }

  /**
   * Of an entry that is there twice the last counts.
   *
   * @param {Uint8Array} entry
   */
  readMetadata(entry) {
    let key = '';
    let value = '';
    walk(entry, {
      1: (bytes) => {
        key = beginningOf(bytes);
      },
      2: (bytes) => {
        value = beginningOf(bytes);
      },
    });
    if (key.startsWith(OUR_METADATA)) add(this.metadata, key, value);
  }

  /**
   * @param {Uint8Array} node
   * @param {number} depth
   */
  #readNode(node, depth) {
    let op = '';
    let domain = '';
    walk(node, {
      4: (name) => {
        op = nameOf(name);
      },
      5: (attribute) => this.#readAttribute(attribute, depth),
      7: (name) => {
        domain = domainOf(name);
      },
    });
    const key = domain === '' ? op : `${domain}::${op}`;
    add(this.ops, key, (this.ops.get(key) ?? 0) + 1);
  }

  /**
   * @param {Uint8Array} attribute
   * @param {number} depth
   */
  #readAttribute(attribute, depth) {
    /** @param {Uint8Array} graph */
    const readGraph = (graph) => this.readGraph(graph, depth + 1);
    /** @param {Uint8Array} tensor */
    const readTensor = (tensor) => this.#readTensor(tensor);
    /** @param {Uint8Array} sparse */
    const readSparse = (sparse) => this.#readSparseTensor(sparse);
    walk(attribute, { 5: readTensor, 6: readGraph, 10: readTensor, 11: readGraph, 22: readSparse, 23: readSparse });
  }

  /** @param {Uint8Array} sparse */
  #readSparseTensor(sparse) {
    walk(sparse, { 1: (values) => this.#readTensor(values), 2: (indices) => this.#readTensor(indices) });
  }

  /** @param {Uint8Array} tensor */
  #readTensor(tensor) {
    if (isExternal(tensor)) this.hiddenData = true;
  }
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
    if (visit && wireType === LENGTH_DELIMITED) visit(reader.bytes());
    else reader.skip(wireType, field);
  }
}

/**
 * @template T
 * @param {Map<string, T>} map
 * @param {string} name
 * @param {T} value
 */
function add(map, name, value) {
  if (map.size >= MAX_NAMES && !map.has(name)) throw notOnnx('it names too many operations, domains or properties');
  map.set(name, value);
}

/** @param {Uint8Array} bytes */
function nameOf(bytes) {
  if (bytes.length > MAX_NAME) throw notOnnx('an operation or a domain of it has no proper name');
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

/**
 * As much of a text as is ever looked at: metadata may hold anything, of any length.
 *
 * @param {Uint8Array} bytes
 */
function beginningOf(bytes) {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, MAX_NAME));
}

/** @param {Uint8Array} bytes */
function domainOf(bytes) {
  const name = nameOf(bytes);
  return name === 'ai.onnx' ? '' : name;
}

/**
 * @template T
 * @param {Map<string, T>} map
 * @returns {Record<string, T>}
 */
function sorted(map) {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** @param {string} why */
function notOnnx(why) {
  return new ModelError(
    `the model file is not an ONNX model that can be used: ${why}`,
    'take an .onnx file of a decoder with a cache; a file that was cut off in transfer looks like this too',
  );
}
