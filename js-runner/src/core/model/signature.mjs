/**
 * What a decoder graph declares: which input is what, how each cache is shaped, whether lanes may be fed at once.
 *
 * Owns the reading of declarations and of what config.json adds to them; runs nothing.
 *
 * @module
 */

import { ModelError, VocabularyError } from '../errors.mjs';

/** @typedef {import('./graph.mjs').TensorInfo} TensorInfo */
/** @typedef {import('./source.mjs').LogitsType} LogitsType */

/** @typedef {{ batch: 'dynamic' | 'static', reason: string }} BatchPolicy */

/** @typedef {Record<string, unknown>} ModelConfig a parsed config.json */

/**
 * A cache input and the output that it is fed from. `shape` is that of an empty cache: 0 for the batch and the past.
 *
 * @typedef {{ name: string, present: string, type: string, shape: number[] }} CacheSlot
 */

/**
 * How to drive a graph. `maskType` and `positionsType` are undefined where the graph has no such input; `oneByOne` is whether a pass takes
 * one id of a lane, else any number.
 *
 * @typedef {object} Signature
 * @property {string} idsType
 * @property {string | undefined} maskType
 * @property {string | undefined} positionsType
 * @property {CacheSlot[]} caches
 * @property {LogitsType} logitsType
 * @property {number} vocabSize
 * @property {boolean} oneByOne
 * @property {BatchPolicy} batchPolicy
 */

/**
 * What a runtime tells of an input or output.
 *
 * @param {import('onnxruntime-common').InferenceSession.ValueMetadata} metadata
 * @returns {TensorInfo}
 * @throws {ModelError} it is no tensor
 */
export function tensorInfo(metadata) {
  if (!metadata.isTensor) throw new ModelError(`${metadata.name} is no tensor`, 'export the model as a decoder');
  return { name: metadata.name, type: metadata.type, shape: [...metadata.shape] };
}

const IDS = 'input_ids';
const MASK = 'attention_mask';
const POSITIONS = 'position_ids';
const PAST = 'past_key_values.';
const PRESENT = 'present.';
const LOGITS = 'logits';

/**
 * @param {TensorInfo[]} inputs
 * @param {TensorInfo[]} outputs
 * @param {ModelConfig} config
 * @returns {Signature}
 * @throws {ModelError} it is no decoder with a cache, or takes something unknown
 * @throws {VocabularyError} its logits have another width than config.json says
 */
export function readSignature(inputs, outputs, config) {
  /** @type {Map<string, string>} */
  const types = new Map();
  const caches = [];
  for (const input of inputs) {
    if (input.shape[0] !== 1 && typeof input.shape[0] !== 'string') {
      throw undrivable(`its input ${input.name} takes batches of ${input.shape[0]} only`);
    }
    if (input.name.startsWith(PAST)) {
      caches.push(cacheSlot(input, outputs, config));
    } else if ([IDS, MASK, POSITIONS].includes(input.name)) {
      if (!['int64', 'int32'].includes(input.type) || input.shape.length !== 2) {
        throw undrivable(`its input ${input.name} is ${describe(input)}, not int64 or int32 with 2 dimensions`);
      }
      types.set(input.name, input.type);
    } else {
      throw undrivable(`its input ${input.name} is not one that a decoder with a cache has`);
    }
  }
  const ids = inputs.find(({ name }) => name === IDS);
  if (!ids) throw undrivable(`it has no input ${IDS}`);
  if (caches.length === 0) throw undrivable(`it has no inputs ${PAST}*, hence no cache`);
  const logits = outputs.find(({ name }) => name === LOGITS);
  if (!logits) throw undrivable(`it has no output ${LOGITS}`);
  return {
    idsType: ids.type,
    maskType: types.get(MASK),
    positionsType: types.get(POSITIONS),
    caches,
    logitsType: logitsTypeOf(logits),
    vocabSize: vocabSizeOf(logits, config),
    oneByOne: takesOneByOne([...inputs, logits]),
    batchPolicy: batchPolicy(inputs, outputs),
  };
}

/**
 * Ids are fed one by one where the sequence dimension of the ids, of the positions or of the logits is 1. The mask's cannot be fixed at
 * all: it spans a past that grows.
 *
 * @param {TensorInfo[]} tensors
 */
function takesOneByOne(tensors) {
  let oneByOne = false;
  for (const { name, shape } of tensors) {
    if (typeof shape[1] !== 'number' || ![IDS, MASK, POSITIONS, LOGITS].includes(name)) continue;
    if (shape[1] !== 1 || name === MASK) throw undrivable(`the sequence dimension of ${name} is fixed at ${shape[1]}`);
    oneByOne = true;
  }
  return oneByOne;
}

/**
 * Dynamic if the first dimension of every input, of the logits and of every present output is symbolic.
 *
 * @param {TensorInfo[]} inputs
 * @param {TensorInfo[]} outputs
 * @returns {BatchPolicy}
 */
export function batchPolicy(inputs, outputs) {
  const used = [...inputs, ...outputs.filter(({ name }) => name === LOGITS || name.startsWith(PRESENT))];
  for (const { name, shape } of used) {
    if (typeof shape[0] === 'string') continue;
    const size = shape.length > 0 ? `fixed at ${shape[0]}` : 'missing';
    return { batch: 'static', reason: `the batch dimension of ${name} is ${size}` };
  }
  return { batch: 'dynamic', reason: `the batch dimension of all ${used.length} inputs and outputs is symbolic` };
}

/**
 * @param {TensorInfo} cache
 * @param {TensorInfo[]} outputs
 * @param {ModelConfig} config
 * @returns {CacheSlot}
 */
function cacheSlot(cache, outputs, config) {
  const name = PRESENT + cache.name.slice(PAST.length);
  const present = outputs.find((output) => output.name === name);
  if (!present) throw undrivable(`its input ${cache.name} has no output ${name}`);
  if (present.type !== cache.type) throw undrivable(`${name} is ${present.type}, ${cache.name} is ${cache.type}`);
  return { name: cache.name, present: name, type: cache.type, shape: emptyShape(cache, config) };
}

/**
 * Dimension 0 is the batch. Of the other symbolic ones the past is the one that is named so, else dimension 2, else the first; the
 * rest are heads (dimension 1) and the head's size, which config.json knows.
 *
 * @param {TensorInfo} cache
 * @param {ModelConfig} config
 * @returns {number[]}
 */
function emptyShape({ name, shape }, config) {
  const symbolic = Array.from(shape.keys()).filter((axis) => axis > 0 && typeof shape[axis] === 'string');
  const named = symbolic.find((axis) => /past|seq/.test(String(shape[axis])));
  const past = named ?? symbolic.find((axis) => axis === 2) ?? symbolic[0];
  if (past === undefined) throw undrivable(`its input ${name} leaves no dimension open for the past`);
  return shape.map((size, axis) => {
    if (axis === 0 || axis === past) return 0;
    if (typeof size === 'number') return size;
    return axis === 1 ? keyValueHeads(config) : headSize(config);
  });
}

/** @param {ModelConfig} config */
function headSize(config) {
  if (config.head_dim) return numberIn(config, 'head_dim');
  return Math.floor(numberIn(config, 'hidden_size') / numberIn(config, 'num_attention_heads'));
}

/** @param {ModelConfig} config */
function keyValueHeads(config) {
  return numberIn(config, 'num_key_value_heads' in config ? 'num_key_value_heads' : 'num_attention_heads');
}

/**
 * @param {TensorInfo} logits
 * @returns {LogitsType}
 */
function logitsTypeOf(logits) {
  if ((logits.type === 'float32' || logits.type === 'float16') && logits.shape.length === 3) return logits.type;
  throw undrivable(`its logits are ${describe(logits)}, not float32 or float16 with 3 dimensions`);
}

/**
 * @param {TensorInfo} logits
 * @param {ModelConfig} config
 * @returns {number}
 */
function vocabSizeOf(logits, config) {
  const declared = logits.shape[2];
  const configured = numberIn(config, 'vocab_size');
  if (typeof declared === 'number' && declared !== configured) {
    throw new VocabularyError(
      `the graph has a vocabulary of ${declared}, config.json says ${configured}`,
      'use the graph, the config.json and the tokenizer.json of one model',
    );
  }
  return configured;
}

/**
 * @param {ModelConfig} config
 * @param {string} name
 * @returns {number}
 */
function numberIn(config, name) {
  const value = config[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
    throw new ModelError(`config.json has no usable ${name}: ${JSON.stringify(value)}`, 'get it again with the model');
  }
  return value;
}

/** @param {TensorInfo} tensor */
function describe({ type, shape }) {
  return `${type} [${shape.join(', ')}]`;
}

/** @param {string} reason */
function undrivable(reason) {
  return new ModelError(
    `the graph cannot be driven: ${reason}`,
    'export the model as a decoder with a cache: input_ids, past_key_values.*, logits, present.*',
  );
}
