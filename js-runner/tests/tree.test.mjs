/** What a row of logits says of tokens: leader, log-odds of the tree, log-probs. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { emptyLanePaths, path } from '../src/core/codec/lane-paths.mjs';
import { leader } from '../src/core/codec/tree/weights.mjs';
import { logProb, logProbs, Tree, treeDepth } from '../src/core/codec/tree.mjs';
import { ModelError } from '../src/core/errors.mjs';
import { asRow, float16Values } from '../src/core/model/source.mjs';
import { sumOfDecisions } from './support/decisions.mjs';
import { Lcg } from './support/lcg.mjs';

/** @typedef {import('../src/core/codec/tree.mjs').Row} Row */

test('depths', () => {
  for (const [vocabSize, depth] of [
    [2, 1],
    [3, 2],
    [64, 6],
    [65, 7],
    [49_152, 16],
    [1 << 20, 20],
  ]) {
    assert.equal(treeDepth(vocabSize), depth);
    assert.equal(new Tree(vocabSize).depth, depth);
  }
});

suite('log-odds are those of the stated formula at every node', () => {
  // A tree that is used for one row after another, as a reader does.
  for (const vocabSize of [2, 3, 5, 63, 64, 65, 100, 127, 128, 129, 257, 1000]) {
    test(`of ${vocabSize} ids`, () => {
      const tree = new Tree(vocabSize);
      /** @type {[number, (row: Float32Array) => unknown][]} */
      const edited = [
        [4, () => {}],
        [16, () => {}],
        [700, () => {}],
        [2, (row) => row.fill(2.5, vocabSize >> 1)],
      ];
      // Leaders at the edges of the vocabulary and of spans.
      for (const place of [0, 63, 64, 127, 128, vocabSize - 1].filter((each) => each < vocabSize)) {
        edited.push([4, (row) => row.fill(9, place, place + 1)]);
      }
      for (const [seed, [spread, edit]] of edited.entries()) {
        const row = new Lcg(seed).drawRow(vocabSize, spread);
        edit(row);
        tree.takeRow(row);
        const id = row.indexOf(Math.max(...row));
        assert.equal(tree.leaderId, id);
        assert.equal(tree.lead, row[id] - Math.max(...row.filter((_, i) => i !== id)));
        assertNear(tree.leaderLogOdds(), -Math.log(massOf(row, 0, vocabSize, id)));
        checkNodes(tree, row, -1);
        checkNodes(tree, row, id);
      }
    });
  }
});

/**
 * @param {Tree} tree
 * @param {Row} row
 * @param {number} leftOut an id, or none
 */
function checkNodes(tree, row, leftOut) {
  // First spans in turn, then back and forth between them.
  const nodes = Array.from({ length: (1 << tree.depth) - 1 }, (_, i) => i + 1);
  const shuffled = nodes.map((_, i) => nodes[(i * 31) % nodes.length]);
  for (const node of [...nodes, ...shuffled]) {
    const level = 31 - Math.clz32(node);
    const width = 1 << (tree.depth - 1 - level);
    const left = 2 * (node - (1 << level)) * width;
    if (left + width >= row.length) {
      assert.equal(tree.logOdds(node, leftOut < 0), undefined);
    } else {
      const halves = [left, left + width].map((start) =>
        Math.log(Math.max(massOf(row, start, start + width, leftOut), 2 ** -1000)),
      );
      assertNear(/** @type {number} */ (tree.logOdds(node, leftOut < 0)), halves[1] - halves[0]);
    }
  }
}

/**
 * @param {Row} row
 * @param {number} start
 * @param {number} end
 * @param {number} leftOut
 */
function massOf(row, start, end, leftOut) {
  const maximum = Math.max(...row);
  let sum = 0;
  for (let i = start; i < Math.min(end, row.length); i++) {
    if (i !== leftOut) sum += Math.exp(Math.max(row[i] - maximum, -600));
  }
  return sum;
}

/**
 * @param {number} found
 * @param {number} expected
 */
function assertNear(found, expected) {
  assert.ok(Math.abs(found - expected) < 1e-11, `${found}, not ${expected}`);
}

test('a row of another length is refused', () => {
  for (const length of [0, 9, 11]) {
    assert.throws(() => new Tree(10).takeRow(new Float32Array(length)), ModelError);
  }
});

test('log-odds of a path add up to the log-prob', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), (vocabSize, seed, pick) => {
      const row = new Lcg(seed).drawRow(vocabSize, 16);
      const id = pick % vocabSize;
      const tree = new Tree(vocabSize);
      // With a guard as wide as this, every row has both its forms.
      const lane = emptyLanePaths(1, tree.depth, 100);
      const found = path(row, id, lane, 0, tree);
      const inTree = sumOfDecisions(lane, lane.all);
      const first = lane.leaderLogOdds[0];
      const asLeader = lane.isLeader[0]
        ? -Math.log1p(Math.exp(-first))
        : sumOfDecisions(lane, lane.others) - Math.log1p(Math.exp(first));
      for (const sum of [inTree, asLeader, found]) assert.ok(Math.abs(sum - logProb(row, id)) < 1e-11);
      assert.equal(logProbs(row)[id], logProb(row, id));
    }),
  );
});

for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
  test(`refuses a logit that is ${wrong}, wherever it stands`, () => {
    for (let length = 2; length < 14; length++) {
      for (let place = 0; place < length; place++) {
        const row = new Float32Array(length);
        row[place] = wrong;
        /** @type {((row: Row) => unknown)[]} */
        const uses = [leader, logProbs, (each) => logProb(each, 0), (each) => new Tree(length).takeRow(each)];
        for (const use of uses) {
          assert.throws(
            () => use(row),
            (error) => error instanceof ModelError && error.message.endsWith(`for id ${place}`),
          );
        }
      }
    }
  });
}

test('leaders are the smallest of equals, wherever they stand', () => {
  for (let length = 2; length < 14; length++) {
    for (let first = 0; first < length; first++) {
      for (let second = 0; second < length; second++) {
        const row = new Float32Array(length).fill(-3);
        row[second] = 1;
        row[first] = 2;
        const lead = second === first ? 5 : 1;
        assert.deepEqual(leader(row), { id: first, lead });
        row[second] = 2;
        assert.deepEqual(leader(row), { id: Math.min(first, second), lead: second === first ? 5 : 0 });
      }
    }
  }
});

test('16-bit floats are widened exactly', () => {
  const values = float16Values();
  for (const [bits, expected] of [
    [0x0000, 0],
    [0x8000, -0],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
  ]) {
    assert.ok(Object.is(values[bits], expected), `${bits.toString(16)} is ${values[bits]}`);
  }
  assert.deepEqual(asRow(Uint16Array.of(0x3c00, 0xc000), new Float64Array(2)), Float64Array.of(1, -2));
});
