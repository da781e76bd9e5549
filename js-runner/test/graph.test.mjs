/** What a graph declares. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { WireType } from '@bufbuild/protobuf/wire';
import { ModelError } from '../src/core/errors.mjs';
import { readBatchPolicy, readGraphContent } from '../src/core/model/graph.mjs';
import { field, makeGraph, message, node, text } from './support/onnx.mjs';

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
    const { opset, ops } = readGraphContent(model);
    assert.deepEqual(opset, { '': 17, 'com.microsoft': 1 });
    assert.deepEqual(Object.entries(ops), [
      ['Add', 4],
      ['If', 3],
      ['__proto__', 1],
      ['com.microsoft::MatMulNBits', 1],
    ]);
  });

  test('reads a file that ONNX Runtime loads', () => {
    assert.deepEqual(readGraphContent(makeGraph()), {
      opset: { '': 17 },
      ops: { Cast: 2, Concat: 2, Gather: 1, Unsqueeze: 1 },
    });
  });

  test('refuses what is no ONNX file, and what is nested without end', () => {
    assert.throws(() => readGraphContent(Uint8Array.of(0x3a, 0xff)), ModelError);
    let graph = graphOf([node('Add', [], [])]);
    for (let i = 0; i < 70; i++) graph = graphOf([nodeOf('If', '', [graph])]);
    assert.throws(() => readGraphContent(modelOf(graph, [])), /nested/);
  });
});

suite('batch policy', () => {
  const free = { name: 'free', type: 'int64', shape: ['batch', 'sequence'] };
  const fixed = { name: 'fixed', type: 'int64', shape: [1, 'sequence'] };

  test('is dynamic if every first dimension is open', () => {
    assert.equal(readBatchPolicy([free], [free, free]).batch, 'dynamic');
  });

  test('is static if one is not, of an input or an output, and names it', () => {
    for (const [inputs, outputs] of [
      [[free, fixed], [free]],
      [[free], [free, fixed]],
    ]) {
      const policy = readBatchPolicy(inputs, outputs);
      assert.equal(policy.batch, 'static');
      assert.match(policy.reason, /"fixed"/);
    }
  });
});
