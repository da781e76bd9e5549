/** What the page is told of tokens: their text, what they cost, and where the model was surprised. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { literalRun, textRun } from '../src/core/container/runs.mjs';
import { TokenCosts } from '../web/worker/tokens.mjs';

/** A token is a byte: a character may be several. */
const tokenizer = {
  encode: (/** @type {string} */ text) => [...Buffer.from(text)],
  decode: (/** @type {ArrayLike<number>} */ ids) => Buffer.from(Array.from(ids)).toString('utf8'),
};

/**
 * A frame of texts and of bytes that have no token; every token costs as many bits as its place in the frame, so that sums are known.
 *
 * @param {(string | number)[]} parts a number is so many bytes
 */
function frameOf(parts) {
  const ids = parts.flatMap((part) => (typeof part === 'string' ? tokenizer.encode(part) : []));
  const literals = parts.reduce((/** @type {number} */ sum, part) => sum + (typeof part === 'number' ? part : 0), 0);
  return {
    runs: parts.map((part) => (typeof part === 'string' ? textRun(tokenizer.encode(part).length) : literalRun(part))),
    ids,
    literals: new Uint8Array(literals),
    logProbs: Float64Array.from(ids, (_, i) => -i * Math.LN2),
  };
}

const costs = new TokenCosts(tokenizer);
costs.add(frameOf(['ab', 3, '\u6f22!']));
costs.add(frameOf(['xyz']));

test('pieces are whole characters, bytes without a token, and what they cost', () => {
  /** @type {(start: number, count: number, expected: [string, number | null, number][]) => void} */
  const check = (start, count, expected) =>
    assert.deepEqual(
      costs
        .pieces(start, count)
        .map(({ text, bits, tokens }) => [text, bits === null ? null : Math.round(bits), tokens]),
      expected,
    );
  /** @type {[string, number | null, number][]} */
  const first = [
    ['a', 0, 1],
    ['b', 1, 1],
    ['3 bytes', null, 0],
    ['\u6f22', 2 + 3 + 4, 3],
    ['!', 5, 1],
  ];
  check(0, 6, first);
  check(0, 100, [...first, ['x', 0, 1], ['y', 1, 1], ['z', 2, 1]]);
  check(5, 2, [
    ['!', 5, 1],
    ['x', 0, 1],
  ]);
  check(9, 5, []);
});

test('the whole, its parts, and the greatest surprises', () => {
  assert.equal(costs.count, 9);
  assert.equal(costs.literalBytes, 3);
  assert.equal(Math.round(costs.bits), 15 + 3);
  assert.deepEqual(costs.overview().map(Math.round), [0, 1, 2, 3, 4, 5, 0, 1, 2]);
  const [most, ...rest] = costs.surprises();
  assert.deepEqual({ ...most, bits: Math.round(most.bits) }, { before: 'ab\u6f22', text: '!', bits: 5, token: 5 });
  assert.equal(rest.length, 7);
  assert.deepEqual(new TokenCosts(tokenizer).overview(), []);
});
