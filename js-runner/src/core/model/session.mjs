/**
 * Drives an ONNX session by what its graph declares: cache, masks and positions.
 *
 * Owns the tensors between two passes; neither makes the session nor knows what the logits are for.
 *
 * @module
 */

import { Tensor } from 'onnxruntime-common';
import { ModelError, UnsupportedError, VocabularyError } from '../errors.mjs';
import { FLOAT32_PLAN_TOLERANCE } from './source.mjs';

/** @typedef {import('./exactness.mjs').Exactness} Exactness */
/** @typedef {import('./signature.mjs').Signature} Signature */
/** @typedef {import('./source.mjs').Logits} Logits */
/** @typedef {import('./source.mjs').LogitsSource} LogitsSource */
/** @typedef {Pick<import('onnxruntime-common').InferenceSession, 'run'>} Session */

/** @type {Record<string, new (length: number) => import('onnxruntime-common').Tensor['data']>} */
const ARRAYS = {
  float32: Float32Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
};

/**
 * @param {import('./signature.mjs').BatchPolicy} policy
 * @param {number | undefined} asked
 */
function maxBatchOf(policy, asked) {
  if (policy.batch === 'dynamic') return asked ?? Number.POSITIVE_INFINITY;
  if (asked !== undefined && asked > 1) {
    throw new UnsupportedError(
      `the graph takes one lane at a time, not a batch of ${asked}: ${policy.reason}`,
      'leave --batch out: the lanes then run one after another',
    );
  }
  return 1;
}

/**
 * @param {Exactness} exactness
 * @param {Signature['caches']} caches
 */
function planToleranceOf(exactness, caches) {
  if (exactness.exact) return 0;
  return caches.every(({ type }) => type === 'float32') ? FLOAT32_PLAN_TOLERANCE : undefined;
}

/**
 * What an input of a lane takes.
 *
 * @param {Signature['caches']} caches
 */
function cacheBytesOf(caches) {
  return caches.reduce((sum, { type, shape }) => {
    // The batch and the past are 0 there.
    const elements = shape.filter((size) => size > 0).reduce((product, size) => product * size, 1);
    return sum + /** @type {Uint8Array} */ (newArray(type, elements)).byteLength;
  }, 0);
}

/** @implements {LogitsSource} */
export class SessionSource {
  #session;
  #signature;
  #batch = 1;
  #past = 0;
  /** @type {Map<string, Tensor>} */
  #caches = new Map();
  /** @type {Tensor | undefined} */
  #logits;

  /**
   * @param {Session} session
   * @param {Signature} signature
   * @param {Exactness} exactness
   * @param {number} [batch] the most lanes that are to be fed at once; all where the graph allows it, unless given
   * @throws {UnsupportedError} the graph takes fewer
   */
  constructor(session, signature, exactness, batch) {
    this.#session = session;
    this.#signature = signature;
    this.vocabSize = signature.vocabSize;
    this.logitsType = signature.logitsType;
    this.maxBatch = maxBatchOf(signature.batchPolicy, batch);
    this.cacheBytes = batch === undefined ? cacheBytesOf(signature.caches) : 0;
    this.exactness = exactness;
    this.planTolerance = planToleranceOf(exactness, signature.caches);
    this.reset(1);
  }

  /**
   * @param {number} batch
   * @throws {UnsupportedError} the graph takes no batch
   */
  reset(batch) {
    if (batch > 1 && this.#signature.batchPolicy.batch === 'static') {
      throw new UnsupportedError(
        `the graph takes one lane at a time, not ${batch}: ${this.#signature.batchPolicy.reason}`,
        'run the lanes one after another',
      );
    }
    this.#batch = batch;
    this.#past = 0;
    for (const { name, type, shape } of this.#signature.caches) {
      this.#replaceCache(name, makeTensor(type, newArray(type, 0), [batch, ...shape.slice(1)]));
    }
  }

  /** @param {number} batch */
  keepLanes(batch) {
    for (const { name } of this.#signature.caches) {
      const cache = /** @type {Tensor} */ (this.#caches.get(name));
      const data = /** @type {Float32Array} */ (cache.data);
      // The batch is the outermost dimension, so the first lanes are the first part.
      const kept = data.slice(0, (data.length / this.#batch) * batch);
      this.#replaceCache(name, makeTensor(cache.type, kept, [batch, ...cache.dims.slice(1)]));
    }
    this.#batch = batch;
  }

  /**
   * @param {Uint32Array} ids `[batch, length]`
   * @param {number} length
   * @returns {Promise<Logits>} `[batch, length, V]`
   */
  async feed(ids, length) {
    return this.#signature.oneByOne && length > 1 ? this.#feedOneByOne(ids, length) : this.#feedAtOnce(ids, length);
  }

  /**
   * @param {Uint32Array} ids
   * @param {number} length
   */
  async #feedOneByOne(ids, length) {
    const LogitsArray = this.logitsType === 'float32' ? Float32Array : Uint16Array;
    const all = new LogitsArray(ids.length * this.vocabSize);
    for (let i = 0; i < length; i++) {
      const logits = await this.#feedAtOnce(
        ids.filter((_, place) => place % length === i),
        1,
      );
      for (let lane = 0; lane < this.#batch; lane++) {
        const row = logits.subarray(lane * this.vocabSize, (lane + 1) * this.vocabSize);
        all.set(row, (lane * length + i) * this.vocabSize);
      }
    }
    return all;
  }

  /**
   * @param {Uint32Array} ids
   * @param {number} length
   */
  async #feedAtOnce(ids, length) {
    const { idsType, maskType, positionsType, caches } = this.#signature;
    const batch = this.#batch;
    const total = this.#past + length;
    /** @type {Record<string, Tensor>} */
    const feeds = Object.fromEntries(this.#caches);
    feeds.input_ids = integers(idsType, [batch, length], (i) => ids[i]);
    if (maskType) feeds.attention_mask = integers(maskType, [batch, total], () => 1);
    if (positionsType) feeds.position_ids = integers(positionsType, [batch, length], (i) => this.#past + (i % length));
    const outputs = await this.#run(feeds);
    for (const { name, present } of caches) this.#replaceCache(name, outputs[present]);
    this.#past = total;
    this.#logits?.dispose();
    this.#logits = outputs.logits;
    return this.#logitsData(length);
  }

  /**
   * @param {Record<string, Tensor>} feeds
   * @returns {Promise<Record<string, Tensor>>}
   */
  async #run(feeds) {
    try {
      return /** @type {Record<string, Tensor>} */ (await this.#session.run(feeds));
    } catch (cause) {
      throw new ModelError(
        `the graph fails on ${feeds.input_ids.dims.join(' x ')} ids after ${this.#past}: ${cause instanceof Error ? cause.message : cause}`,
        'the model file does not work on this runtime; try another variant',
        cause,
      );
    }
  }

  /** @param {number} length */
  #logitsData(length) {
    const { data, dims } = /** @type {Tensor} */ (this.#logits);
    const expected = [this.#batch, length, this.vocabSize];
    if (dims.length === 3 && dims[0] === this.#batch && dims[1] === length && dims[2] !== this.vocabSize) {
      throw new VocabularyError(
        `the graph predicts ${dims[2]} tokens, config.json has a vocab_size of ${this.vocabSize}`,
        'take graph and config.json from the same model',
      );
    }
    if (dims.length !== 3 || expected.some((size, axis) => dims[axis] !== size)) {
      throw new ModelError(
        `the graph gives logits of [${dims}], [${expected}] were due`,
        'the model file is not a decoder',
      );
    }
    if (data instanceof Float32Array || data instanceof Uint16Array) return data;
    // A Float16Array, where the runtime has them.
    const { buffer, byteOffset } = /** @type {Uint16Array} */ (/** @type {unknown} */ (data));
    return new Uint16Array(buffer, byteOffset, data.length);
  }

  /**
   * @param {string} name
   * @param {Tensor} tensor
   */
  #replaceCache(name, tensor) {
    this.#caches.get(name)?.dispose();
    this.#caches.set(name, tensor);
  }
}

/**
 * @param {string} type `int64` or `int32`
 * @param {number[]} shape
 * @param {(index: number) => number} valueAt
 * @returns {Tensor}
 */
function integers(type, shape, valueAt) {
  const data = newArray(type, shape[0] * shape[1]);
  if (data instanceof BigInt64Array) for (let i = 0; i < data.length; i++) data[i] = BigInt(valueAt(i));
  else if (data instanceof Int32Array) for (let i = 0; i < data.length; i++) data[i] = valueAt(i);
  return makeTensor(type, data, shape);
}

/**
 * @param {string} type
 * @param {Tensor['data']} data
 * @param {number[]} shape
 */
function makeTensor(type, data, shape) {
  return new Tensor(/** @type {any} */ (type), /** @type {any} */ (data), shape);
}

/**
 * @param {string} type
 * @param {number} length
 */
function newArray(type, length) {
  const ArrayType = ARRAYS[type];
  if (!ArrayType) {
    throw new ModelError(`the graph has a tensor of type ${type}, which no runner feeds`, 'export the model again');
  }
  return new ArrayType(length);
}
