/**
 * What a graph declares: its inputs and outputs, its operations, and whether it takes more than one lane.
 *
 * Owns the reading of signatures and of the ONNX file's list of nodes; computes nothing.
 *
 * @module
 */

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ModelError, VocabularyError } from '../errors.mjs';

/**
 * A tensor as the graph declares it: the type of an element, and dimensions as numbers or symbols (`''` for one without a name).
 *
 * @typedef {{ name: string, type: string, shape: (number | string)[] }} TensorDeclaration
 */

/** @typedef {{ batch: 'dynamic' | 'static', reason: string }} BatchPolicy */

/** @typedef {{ opset: Record<string, number>, ops: Record<string, number> }} GraphContent */

/**
 * What config.json says that a graph may leave open.
 *
 * @typedef {{ vocab_size?: number, head_dim?: number, hidden_size?: number, num_attention_heads?: number }} ModelConfig
 */

/**
 * A cache input, the output that it is fed from, and its dimensions while it is empty, for a batch of 1.
 *
 * @typedef {{ input: string, output: string, type: string, emptyShape: number[] }} CacheSlot
 */

/**
 * How to drive a graph.
 *
 * @typedef {object} Signature
 * @property {string} idsType
 * @property {string | undefined} maskType the type of `attention_mask`, where declared
 * @property {string | undefined} positionsType the type of `position_ids`, where declared
 * @property {CacheSlot[]} caches
 * @property {import('./source.mjs').LogitsType} logitsType
 * @property {number} vocabSize
 * @property {BatchPolicy} batchPolicy
 */

const IDS = 'input_ids';
const MASK = 'attention_mask';
const POSITIONS = 'position_ids';
const PAST = 'past_key_values.';
const PRESENT = 'present.';
const LOGITS = 'logits';
const MAX_SUBGRAPH_DEPTH = 64;

/**
 * @param {TensorDeclaration[]} inputs
 * @param {TensorDeclaration[]} outputs
 * @param {ModelConfig} config
 * @returns {Signature}
 * @throws {ModelError} the graph has an input that nobody feeds, or lacks one that is needed
 * @throws {VocabularyError} the graph's vocabulary is not that of config.json
 */
export function readSignature(inputs, outputs, config) {
  const outputOf = new Map(outputs.map((output) => [output.name, output]));
  const inputOf = new Map(inputs.map((input) => [input.name, input]));
  const ids = inputOf.get(IDS);
  const logits = outputOf.get(LOGITS);
  if (!ids || !logits) throw cannotDrive(`it has no ${ids ? `output "${LOGITS}"` : `input "${IDS}"`}`);
  if (typeof ids.shape[1] === 'number') throw cannotDrive(`"${IDS}" takes exactly ${ids.shape[1]} tokens at a time`);
  /** @type {CacheSlot[]} */
  const caches = [];
  for (const input of inputs) {
    if (input.name.startsWith(PAST)) {
      const output = PRESENT + input.name.slice(PAST.length);
      if (!outputOf.has(output)) throw cannotDrive(`the cache "${input.name}" has no output "${output}"`);
      caches.push({ input: input.name, output, type: input.type, emptyShape: emptyCacheShape(input, config) });
    } else if (![IDS, MASK, POSITIONS].includes(input.name)) {
      throw cannotDrive(`the input "${input.name}" is not one that a runner feeds`);
    }
  }
  if (logits.type !== 'float32' && logits.type !== 'float16') throw cannotDrive(`its logits are ${logits.type}`);
  const batchPolicy = readBatchPolicy(inputs, [logits, ...outputs.filter((output) => output.name.startsWith(PRESENT))]);
  return {
    idsType: ids.type,
    maskType: inputOf.get(MASK)?.type,
    positionsType: inputOf.get(POSITIONS)?.type,
    caches,
    logitsType: logits.type,
    vocabSize: readVocabSize(logits, config),
    batchPolicy,
  };
}

/**
 * Dynamic only if every input, the logits and the caches leave the first dimension open.
 *
 * @param {TensorDeclaration[]} inputs
 * @param {TensorDeclaration[]} outputs
 * @returns {BatchPolicy}
 */
export function readBatchPolicy(inputs, outputs) {
  const fixed = [...inputs, ...outputs].find(({ shape }) => typeof shape[0] !== 'string');
  if (!fixed)
    return { batch: 'dynamic', reason: 'every input, the logits and the caches have a symbolic batch dimension' };
  const size = fixed.shape[0];
  if (size !== undefined && size !== 1) throw cannotDrive(`the batch dimension of "${fixed.name}" is fixed at ${size}`);
  return { batch: 'static', reason: `the batch dimension of "${fixed.name}" is fixed, so lanes run one after another` };
}

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
  if (depth > MAX_SUBGRAPH_DEPTH) throw cannotDrive(`its subgraphs are nested more than ${MAX_SUBGRAPH_DEPTH} deep`);
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

/**
 * The dimensions of an empty cache: batch 1, no past, the rest as declared or from config.json.
 *
 * @param {TensorDeclaration} input
 * @param {ModelConfig} config
 * @returns {number[]}
 */
function emptyCacheShape(input, config) {
  const open = input.shape.flatMap((size, axis) => (axis > 0 && typeof size === 'string' ? [axis] : []));
  if (open.length < 1 || open.length > 2) {
    throw cannotDrive(
      `the cache "${input.name}" has the dimensions [${input.shape}], of which one or two must be symbolic`,
    );
  }
  // The past grows; a second open dimension, after it, is that of a head.
  const [past, head] = open;
  return input.shape.map((size, axis) => {
    if (axis === 0) return 1;
    if (axis === past) return 0;
    return axis === head ? headDimension(config) : Number(size);
  });
}

/**
 * @param {ModelConfig} config
 * @returns {number}
 */
function headDimension(config) {
  const size = config.head_dim ?? Number(config.hidden_size) / Number(config.num_attention_heads);
  if (!Number.isInteger(size) || size < 1) {
    throw cannotDrive(
      'its head dimension is symbolic, and config.json has neither head_dim nor hidden_size and num_attention_heads',
    );
  }
  return size;
}

/**
 * @param {TensorDeclaration} logits
 * @param {ModelConfig} config
 * @returns {number}
 */
function readVocabSize(logits, config) {
  const declared = logits.shape.at(-1);
  const vocabSize = typeof declared === 'number' ? declared : config.vocab_size;
  if (vocabSize === undefined || vocabSize < 2)
    throw cannotDrive('neither its logits nor config.json give the size of the vocabulary');
  if (config.vocab_size !== undefined && config.vocab_size !== vocabSize) {
    throw new VocabularyError(
      `the graph has ${vocabSize} logits, config.json a vocabulary of ${config.vocab_size}`,
      'the files are of different models; get them again from one place',
    );
  }
  return vocabSize;
}

/** @param {string} why */
function cannotDrive(why) {
  return new ModelError(
    `the graph cannot be driven: ${why}`,
    'export the model as a decoder with a key-value cache and dynamic axes',
  );
}
