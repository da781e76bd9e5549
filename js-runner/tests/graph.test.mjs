/** What a graph declares. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { WireType } from '@bufbuild/protobuf/wire';
import { ModelError } from '../src/core/errors.mjs';
import { readGraphFacts } from '../src/core/model/graph.mjs';
import { batchPolicy } from '../src/core/model/signature.mjs';
import { field, makeGraph, message, metadataEntry, node, text } from './support/onnx.mjs';

/**
 * @param {string} type
 * @param {string} domain
 * @param {Uint8Array[]} [subgraphs]
 */
function nodeOf(type, domain, subgraphs = []) {
  return message((n) => {
    text(n, 4, type);
    if (domain) text(n, 7, domain);
    for (const [i, subgraph] of subgraphs.entries()) {
      // The first as a graph, the others as a list of graphs.
      field(
        n,
        5,
        message((a) => field(a, i === 0 ? 6 : 11, subgraph)),
      );
    }
  });
}

/** @param {Uint8Array[]} nodes */
const graphOf = (nodes) =>
  message((g) => {
    for (const each of nodes) field(g, 1, each);
  });

/**
 * @param {Uint8Array} graph
 * @param {[string, number][]} opsets
 */
const modelOf = (graph, opsets) =>
  message((m) => {
    field(m, 7, graph);
    for (const [domain, version] of opsets) {
      field(
        m,
        8,
        message((o) => {
          text(o, 1, domain);
          o.tag(2, WireType.Varint).int64(version);
        }),
      );
    }
  });

suite('content', () => {
  test('counts nodes by op, those of subgraphs included', () => {
    const inner = graphOf([nodeOf('Add', ''), nodeOf('If', '', [graphOf([nodeOf('Add', 'ai.onnx')])])]);
    const model = modelOf(
      graphOf([nodeOf('MatMulNBits', 'com.microsoft'), nodeOf('If', '', [inner, inner]), nodeOf('__proto__', '')]),
      [
        ['ai.onnx', 17],
        ['com.microsoft', 1],
      ],
    );
    const { opset, ops } = readGraphFacts(model);
    assert.deepEqual(opset, { '': 17, 'com.microsoft': 1 });
    assert.deepEqual(Object.entries(ops), [
      ['Add', 4],
      ['If', 3],
      ['__proto__', 1],
      ['com.microsoft::MatMulNBits', 1],
    ]);
  });

  test('reads a file that ONNX Runtime loads', () => {
    assert.deepEqual(readGraphFacts(makeGraph()), {
      opset: { '': 17 },
      ops: { Cast: 2, Concat: 2, Gather: 1, Unsqueeze: 1 },
      metadata: {},
      dataFiles: {},
      hiddenData: false,
    });
  });

  test('reads the metadata that is of this project, and only that', () => {
    const metadata = { 'llmzip.exact': '1', 'llmzip.source': 'model.safetensors', 'llmzip.note': 'ü' };
    const foreign = { author: 'x'.repeat(2 ** 20), 'other.llmzip.exact': '1', '': '1' };
    assert.deepEqual(readGraphFacts(makeGraph({ metadata: { ...metadata, ...foreign } })).metadata, metadata);
  });

  test('takes metadata as it comes: twice, without a value, no text, without an end', () => {
    /** @type {(entries: Uint8Array[], expected: Record<string, string>) => void} */
    const check = (entries, expected) => {
      const model = message((m) => {
        field(m, 7, graphOf([]));
        for (const entry of entries) field(m, 14, entry);
      });
      assert.deepEqual(readGraphFacts(model).metadata, expected);
    };
    const ours = 'llmzip.exact';
    check([metadataEntry(ours, '1'), metadataEntry(ours, '2')], { [ours]: '2' });
    check([message((entry) => text(entry, 1, ours))], { [ours]: '' });
    check([message((entry) => text(entry, 2, '1'))], {});
    check([metadataEntry(ours, '1'.repeat(2 ** 20))], { [ours]: '1'.repeat(256) });
    const notText = message((entry) => {
      text(entry, 1, ours);
      field(entry, 2, Uint8Array.of(0xff));
    });
    check([notText], { [ours]: '\ufffd' });
    const many = Array.from({ length: 5000 }, (_, i) => metadataEntry(`llmzip.${i}`, ''));
    assert.throws(() => check(many, {}), ModelError);
  });

  test('finds weights in other files wherever they hide', () => {
    const external = message((t) => t.tag(14, WireType.Varint).int32(1));
    /** @type {(number: number, content: Uint8Array) => Uint8Array} */
    const within = (number, content) => message((m) => field(m, number, content));
    const constant = (/** @type {number} */ number, /** @type {Uint8Array} */ tensor) =>
      within(5, within(number, tensor));
    const sparse = within(1, external);
    for (const graph of [
      within(15, sparse),
      within(15, within(2, external)),
      ...[5, 10].map((number) => within(1, constant(number, external))),
      ...[22, 23].map((number) => within(1, constant(number, sparse))),
      graphOf([nodeOf('If', '', [within(5, external)])]),
    ]) {
      assert.ok(readGraphFacts(modelOf(graph, [])).hiddenData);
    }
    const withFunction = Buffer.concat([modelOf(graphOf([]), []), within(25, within(7, constant(5, external)))]);
    assert.ok(readGraphFacts(withFunction).hiddenData);
    const inside = message((t) => t.tag(14, WireType.Varint).int32(0));
    assert.ok(!readGraphFacts(modelOf(within(5, inside), [])).hiddenData);
  });

  test('refuses what is no ONNX file, and what is absurd', () => {
    for (const file of [
      new Uint8Array(0),
      Uint8Array.of(0x3a, 0xff),
      Buffer.from('<html>not found</html>'),
      modelOf(graphOf([nodeOf('x'.repeat(1000), '')]), []),
      modelOf(graphOf(Array.from({ length: 5000 }, (_, i) => nodeOf(`Op${i}`, ''))), []),
      modelOf(
        graphOf([
          message((n) => {
            field(n, 4, Uint8Array.of(0xff));
          }),
        ]),
        [],
      ),
    ]) {
      assert.throws(() => readGraphFacts(file), ModelError);
    }
    let graph = graphOf([node('Add', [], [])]);
    for (let i = 0; i < 70; i++) graph = graphOf([nodeOf('If', '', [graph])]);
    assert.throws(() => readGraphFacts(modelOf(graph, [])), /nested more than 32/);
  });
});

suite('batch policy', () => {
  const ids = { name: 'input_ids', type: 'int64', shape: ['batch', 'sequence'] };
  const logits = { name: 'logits', type: 'float32', shape: ['batch', 'sequence', 8] };
  const present = { name: 'present.0.key', type: 'float32', shape: ['batch', 2, 'total', 4] };
  const other = { name: 'hidden_states', type: 'float32', shape: [1, 'sequence', 4] };

  test('is dynamic if every first dimension that matters is open', () => {
    assert.deepEqual(batchPolicy([ids], [logits, present, other]), {
      batch: 'dynamic',
      reason: 'the batch dimension of all 3 inputs and outputs is symbolic',
    });
  });

  test('is static if one is not, of an input or an output, and names it', () => {
    for (const fixed of [ids, logits, present]) {
      const declared = [ids, logits, present].map((each) =>
        each === fixed ? { ...each, shape: [1, ...each.shape.slice(1)] } : each,
      );
      assert.deepEqual(batchPolicy(declared.slice(0, 1), declared.slice(1)), {
        batch: 'static',
        reason: `the batch dimension of ${fixed.name} is fixed at 1`,
      });
    }
  });
});
