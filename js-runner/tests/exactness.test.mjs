/** Which graphs are taken as exact, and how their caches of bytes and scales are driven. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Tensor } from 'onnxruntime-common';
import { UnsupportedError, UsageError } from '../src/core/errors.mjs';
import { EXACT_OPS, readExactness, requireExact } from '../src/core/model/exactness.mjs';
import { readGraphFacts } from '../src/core/model/graph.mjs';
import { findVariant } from '../src/core/model/manifest.mjs';
import { SessionSource } from '../src/core/model/session.mjs';
import { readSignature } from '../src/core/model/signature.mjs';
import { makeGraph } from './support/onnx.mjs';

const EXACT = { exact: true, reason: 'the graph says so (llmzip.exact 1) and has only exact ops' };
const SILENT = { exact: false, reason: 'the graph does not say that it is exact' };
const SAYS_SO = { 'llmzip.exact': '1' };

/** @param {string} version */
const unknown = (version) => ({
  exact: false,
  reason: `the graph follows version ${version} of the rules, which this runner does not know`,
});

/** @param {string} op */
const inexact = (op) => ({ exact: false, reason: `the graph says that it is exact, but has the op ${op}` });

suite('exactness', () => {
  /**
   * @param {string} what
   * @param {Record<string, string>} metadata
   * @param {string[]} ops
   * @param {import('../src/core/model/exactness.mjs').Exactness} expected
   */
  const check = (what, metadata, ops, expected) =>
    test(what, () => assert.deepEqual(readExactness(metadata, ops), expected));

  check('a graph that says so', SAYS_SO, ['Gather', 'MatMulInteger'], EXACT);
  check('all ops that may occur', { ...SAYS_SO, 'llmzip.source': 'x' }, [...EXACT_OPS], EXACT);
  check('no ops', SAYS_SO, [], EXACT);
  check('a graph that says nothing', {}, ['Gather'], SILENT);
  check('another key', { 'LLMZIP.EXACT': '1', exact: '1' }, ['Gather'], SILENT);
  check('another version', { 'llmzip.exact': '2' }, ['Softmax'], unknown('2'));
  check('a version with a space', { 'llmzip.exact': '1 ' }, [], unknown('1 '));
  check('an empty version', { 'llmzip.exact': '' }, [], unknown(''));
  check('a long version', { 'llmzip.exact': '9'.repeat(5000) }, [], unknown('9'.repeat(40)));
  check('the first other op by name', SAYS_SO, ['Softmax', 'Gather', 'MatMul'], inexact('MatMul'));
  check('an op of another domain', SAYS_SO, ['Add', 'custom::Add'], inexact('custom::Add'));

  test('is read from the bytes of a graph', () => {
    /** @param {Record<string, string>} metadata */
    const of = (metadata) => {
      const facts = readGraphFacts(makeGraph({ metadata }));
      return readExactness(facts.metadata, Object.keys(facts.ops));
    };
    assert.deepEqual(of(SAYS_SO), EXACT);
    assert.deepEqual(of({ name: 'llmzip.exact' }), SILENT);
  });

  test('is required', () => {
    requireExact(EXACT);
    assert.throws(() => requireExact(SILENT), UnsupportedError);
  });
});

suite('the variant that is used unless one is named', () => {
  /**
   * @param {string[]} names
   * @param {string} expected
   */
  const check = (names, expected) =>
    test(names.join(', '), () => {
      const record = recordOf(names);
      assert.equal(findVariant(record).dtype, expected);
      assert.equal(findVariant(record, names[0]).dtype, names[0]);
      assert.throws(() => findVariant(record, 'q9'), UsageError);
    });

  check(['q4', 'q4f16', 'exact'], 'exact');
  check(['exact', 'q4f16'], 'exact');
  check(['q4', 'q4f16'], 'q4f16');
  check(['fp16', 'q4'], 'fp16');

  test('of a model without variants', () => assert.throws(() => findVariant(recordOf([])), UsageError));

  /** @param {string[]} names */
  function recordOf(names) {
    const variants = names.map((dtype) => ({ dtype, file: `onnx/model_${dtype}.onnx`, data: [], eps: '0' }));
    return { name: 'some', folder: 'some', window: 8, overlap: 2, startToken: 0, variants, sha256: new Map() };
  }
});

/** The caches of one layer of an exact graph: type, and shape after the batch dimension. */
const CACHES = Object.entries(
  /** @type {Record<string, [type: 'uint8' | 'float32', shape: (number | string)[]]>} */ ({
    key: ['uint8', [2, 3, 'length']],
    key_scale: ['float32', [2, 1, 'length']],
    value: ['uint8', [2, 'length', 3]],
    value_scale: ['float32', [2, 1, 'length']],
  }),
);
const VOCAB_SIZE = 5;

/** Gives caches of the right shapes, each value another number; keeps copies of what it was fed and what it gave. */
class CountingSession {
  /** @typedef {Record<string, { type: string, dims: number[], values: number[] }>} Copies */
  /** @type {Copies[]} */
  fed = [];
  /** @type {Copies[]} */
  given = [];
  #count = 0;

  /** @param {any} feeds */
  async run(feeds) {
    const [batch, length] = feeds.input_ids.dims;
    const width = batch * length * VOCAB_SIZE;
    /** @type {Record<string, Tensor>} */
    const outputs = { logits: new Tensor('float32', new Float32Array(width), [batch, length, VOCAB_SIZE]) };
    for (const [name, [type, shape]] of CACHES) {
      const total = feeds[`past_key_values.0.${name}`].dims[1 + shape.indexOf('length')] + length;
      const dims = [batch, ...shape.map((size) => (size === 'length' ? total : Number(size)))];
      const size = dims.reduce((product, dim) => product * dim, 1);
      const values = Array.from({ length: size }, () => this.#count++ % 251);
      const data = type === 'uint8' ? Uint8Array.from(values) : Float32Array.from(values);
      outputs[`present.0.${name}`] = new Tensor(/** @type {any} */ (type), /** @type {any} */ (data), dims);
    }
    this.fed.push(copies(feeds, 'past_key_values.0.'));
    this.given.push(copies(outputs, 'present.0.'));
    return outputs;
  }
}

/**
 * @param {Record<string, Tensor>} tensors
 * @param {string} prefix
 */
function copies(tensors, prefix) {
  return Object.fromEntries(
    CACHES.map(([name]) => {
      const { type, dims, data } = tensors[prefix + name];
      return [name, { type, dims: [...dims], values: Array.from(/** @type {Uint8Array} */ (data)) }];
    }),
  );
}

test('caches of bytes and their scales are fed back as they came, lane by lane', async () => {
  /** @type {(prefix: string, length: string) => import('../src/core/model/graph.mjs').TensorInfo[]} */
  const declared = (prefix, length) =>
    CACHES.map(([name, [type, shape]]) => ({
      name: prefix + name,
      type,
      shape: ['batch', ...shape.map((size) => (size === 'length' ? length : size))],
    }));
  const ids = { name: 'input_ids', type: 'int64', shape: ['batch', 'sequence_length'] };
  const logits = { name: 'logits', type: 'float32', shape: ['batch', 'sequence_length', VOCAB_SIZE] };
  const signature = readSignature(
    [ids, ...declared('past_key_values.0.', 'past_sequence_length')],
    [logits, ...declared('present.0.', 'total_sequence_length')],
    { vocab_size: VOCAB_SIZE },
  );
  const session = new CountingSession();
  const source = new SessionSource(session, signature, EXACT);
  assert.deepEqual(source.exactness, EXACT);

  source.reset(2);
  await source.feed(Uint32Array.of(1, 2, 3, 4), 2);
  await source.feed(Uint32Array.of(1, 2), 1);
  source.keepLanes(1);
  await source.feed(Uint32Array.of(1), 1);
  source.reset(1);
  await source.feed(Uint32Array.of(1), 1);

  const { fed, given } = session;
  for (const [name, [type, shape]] of CACHES) {
    const empty = shape.map((size) => (size === 'length' ? 0 : Number(size)));
    assert.deepEqual(fed[0][name], { type, dims: [2, ...empty], values: [] });
    assert.deepEqual(fed[1][name], given[0][name]);
    const { dims, values } = given[1][name];
    assert.deepEqual(fed[2][name], { type, dims: [1, ...dims.slice(1)], values: values.slice(0, values.length / 2) });
    assert.deepEqual(fed[3][name], { type, dims: [1, ...empty], values: [] });
  }
});
