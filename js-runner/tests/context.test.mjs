/** The context policy: what is fed, after what, in which passes. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../src/core/errors.mjs';
import { NextToken, nextTokenLogProbs } from '../src/core/logprobs.mjs';
import { checkPlan, checkPolicy, decodeInLockstep, rowsOfKnownTokens } from '../src/core/model/context.mjs';
import { SyntheticSource } from './support/synthetic.mjs';

/** @typedef {import('../src/core/model/context.mjs').ContextPolicy} ContextPolicy */
/** @typedef {import('../src/core/model/context.mjs').Plan} Plan */

const VOCAB_SIZE = 40;

/**
 * The lanes of every batch that is begun, which start from token 0.
 *
 * @param {string[]} calls
 */
function openedBatches(calls) {
  return calls.filter((call) => /^feed 0( 0)*$/.test(call)).map((call) => call.split(' ').length - 1);
}

suite('feeding', () => {
  /**
   * @param {string} what
   * @param {{ policy: ContextPolicy, plan: Plan, ids: number[], maxBatch?: number, calls: string[] }} example
   */
  const check = (what, { policy, plan, ids, maxBatch = Number.POSITIVE_INFINITY, calls }) =>
    test(what, async () => {
      const source = new SyntheticSource({ vocabSize: VOCAB_SIZE, maxBatch });
      const seen = [];
      for await (const { index } of rowsOfKnownTokens(source, policy, plan, Uint32Array.from(ids))) seen.push(index);
      assert.deepEqual(source.calls, calls);
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        Array.from(ids.keys()),
      );
    });

  const policy = { startToken: 9, window: 4, overlap: 1 };

  check('no tokens', { policy, plan: { lanes: 3, chunk: 1 }, ids: [], calls: [] });
  check('one token needs the start token only', {
    policy,
    plan: { lanes: 1, chunk: 1 },
    ids: [5],
    calls: ['reset 1', 'feed 9'],
  });
  check('token by token, over two windows', {
    policy,
    plan: { lanes: 1, chunk: 1 },
    ids: [1, 2, 3, 4, 5, 6, 7, 8],
    calls: [
      ...['reset 1', 'feed 9', 'feed 1', 'feed 2', 'feed 3'],
      ...['reset 1', 'feed 3', 'feed 4', 'feed 5', 'feed 6'],
      ...['reset 1', 'feed 6', 'feed 7'],
    ],
  });
  check('a chunk ends with its window', {
    policy,
    plan: { lanes: 1, chunk: 3 },
    ids: [1, 2, 3, 4, 5, 6, 7, 8],
    calls: ['reset 1', 'feed 9 1 2', 'feed 3', 'reset 1', 'feed 3', 'feed 4 5 6', 'reset 1', 'feed 6', 'feed 7'],
  });
  const few = { startToken: 0, window: 8, overlap: 5 };
  const many = { startToken: 0, window: 600, overlap: 520 };
  for (const [lanes, policy, warmUp] of /** @type {[number, ContextPolicy, number[]][]} */ ([
    [51, few, [5]],
    [52, few, [1, 1, 1, 1, 1]],
    [256, few, [1, 1, 1, 1, 1]],
    [1, many, [256, 256, 8]],
  ])) {
    test(`a warm-up of ${policy.overlap} inputs in ${lanes} lanes takes ${warmUp.length} passes`, async () => {
      const source = new SyntheticSource({ vocabSize: VOCAB_SIZE });
      const ids = new Uint32Array((policy.window + 1) * lanes);
      const plan = { lanes, chunk: policy.window };
      for await (const _ of rowsOfKnownTokens(source, policy, plan, ids));
      const feeds = source.calls.filter((call) => call.startsWith('feed'));
      const inputs = feeds.map((call) => (call.split(/[ ,|;]+/).length - 1) / lanes);
      assert.deepEqual(inputs, [policy.window, ...warmUp, 1]);
    });
  }
  check('no overlap, no warm-up', {
    policy: { startToken: 0, window: 2, overlap: 0 },
    plan: { lanes: 1, chunk: 8 },
    ids: [1, 2, 3],
    calls: ['reset 1', 'feed 0 1', 'reset 1', 'feed 2'],
  });
  check('lanes go in step, and the longer ones stay at the end', {
    policy,
    plan: { lanes: 3, chunk: 1 },
    ids: [10, 11, 12, 20, 21, 22, 30, 31],
    calls: ['reset 3', 'feed 9 9 9', 'feed 10 20 30', 'keep 2', 'feed 11 21'],
  });
  check('a chunk ends with the shortest lane', {
    policy,
    plan: { lanes: 2, chunk: 8 },
    ids: [10, 11, 12, 20, 21],
    calls: ['reset 2', 'feed 9 10 9 20', 'keep 1', 'feed 11'],
  });
  check('a window that starts at the last step starts with the lanes that are left', {
    policy: { startToken: 9, window: 2, overlap: 1 },
    plan: { lanes: 2, chunk: 1 },
    ids: [10, 11, 12, 20, 21],
    calls: ['reset 2', 'feed 9 9', 'feed 10 20', 'reset 1', 'feed 10', 'feed 11'],
  });
  check('without a batch, lanes follow each other', {
    policy,
    plan: { lanes: 2, chunk: 2 },
    ids: [10, 11, 12, 20, 21],
    maxBatch: 1,
    calls: ['reset 1', 'feed 9 10', 'feed 11', 'reset 1', 'feed 9 20'],
  });
  check('no more lanes than tokens', {
    policy,
    plan: { lanes: 5, chunk: 1 },
    ids: [1, 2],
    calls: ['reset 2', 'feed 9 9'],
  });
});

suite('lanes that are fed at once', () => {
  const MIB = 2 ** 20;
  for (const { cacheBytes, length, expected } of [
    { cacheBytes: 0, length: 4, expected: [9] },
    { cacheBytes: 5 * MIB, length: 4, expected: [9] },
    { cacheBytes: 12 * MIB, length: 4, expected: [4, 4, 1] },
    { cacheBytes: 12 * MIB + 1, length: 4, expected: [3, 3, 3] },
    { cacheBytes: 12 * MIB, length: 8, expected: [2, 2, 2, 2, 1] },
    { cacheBytes: 12 * MIB, length: 40, expected: [2, 2, 2, 2, 1] },
    { cacheBytes: 2 ** 60, length: 2, expected: new Array(9).fill(1) },
  ]) {
    test(`${cacheBytes} bytes for an input, ${length} tokens of a lane`, async () => {
      const source = new SyntheticSource({ vocabSize: VOCAB_SIZE, cacheBytes });
      const limits = { startToken: 0, window: 8, overlap: 2 };
      const ids = new Uint32Array(9 * length).fill(1);
      for await (const _ of rowsOfKnownTokens(source, limits, { lanes: 9, chunk: 1 }, ids));
      assert.deepEqual(openedBatches(source.calls), expected);
      source.calls.length = 0;
      assert.deepEqual(await decodeInLockstep(source, limits, new Array(9).fill(length), () => 1), ids);
      assert.deepEqual(openedBatches(source.calls), expected);
    });
  }
});

suite('rows', () => {
  const cases = fc
    .record({
      ids: fc.array(fc.nat({ max: VOCAB_SIZE - 1 }), { minLength: 1, maxLength: 40 }),
      lanes: fc.integer({ min: 1, max: 6 }),
      chunk: fc.integer({ min: 1, max: 9 }),
      window: fc.integer({ min: 2, max: 12 }),
      part: fc.nat(),
      maxBatch: fc.constantFrom(Number.POSITIVE_INFINITY, 1, 2),
    })
    .map(({ ids, lanes, chunk, window, part, maxBatch }) => ({
      ids: Uint32Array.from(ids),
      lanes: Math.min(lanes, ids.length),
      chunk,
      policy: { startToken: 3, window, overlap: part % window },
      maxBatch,
    }));

  test('are the same in chunks, and for a reader', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ ids, lanes, chunk, policy, maxBatch }) => {
        const source = new SyntheticSource({ vocabSize: VOCAB_SIZE, maxBatch });
        const single = await gather(rowsOfKnownTokens(source, policy, { lanes, chunk: 1 }, ids));
        assert.deepEqual(await gather(rowsOfKnownTokens(source, policy, { lanes, chunk }, ids)), single);

        const lengths = Array.from({ length: lanes }, (_, i) => Math.ceil((ids.length - i) / lanes));
        const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
        const steps = lengths.map(() => 0);
        const decoded = await decodeInLockstep(source, policy, lengths, (lane, logits) => {
          const index = starts[lane] + steps[lane]++;
          assert.deepEqual(Array.from(logits), single.get(index));
          return ids[index];
        });
        assert.deepEqual(decoded, ids);
      }),
    );
  });

  test('are what the next-token API gives', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ ids, policy }) => {
        const source = new SyntheticSource({ vocabSize: VOCAB_SIZE });
        const known = [];
        for await (const step of nextTokenLogProbs(source, policy, { lanes: 1, chunk: 4 }, ids)) {
          known.push(Array.from(step.logProbs()));
          assert.equal(step.logProb, step.logProbs()[ids[step.index]]);
        }
        const next = new NextToken(source, policy);
        for (const [i, id] of ids.entries()) {
          assert.deepEqual(Array.from(await next.logProbs()), known[i]);
          await next.append(id);
        }
      }),
    );
  });

  test('add up to 1', async () => {
    const next = new NextToken(new SyntheticSource({ vocabSize: VOCAB_SIZE, logitsType: 'float16' }), {
      startToken: 0,
      window: 8,
      overlap: 2,
    });
    const logProbs = await next.logProbs();
    assert.ok(Math.abs(logProbs.reduce((sum, each) => sum + Math.exp(each), 0) - 1) < 1e-12);
    await assert.rejects(next.append(VOCAB_SIZE), UsageError);
  });
});

suite('limits', () => {
  const good = { startToken: 0, window: 8, overlap: 2 };

  for (const change of [
    { startToken: 40 },
    { startToken: -1 },
    { window: 1 },
    { window: 2 ** 20 + 1 },
    { overlap: 8 },
    { overlap: 0.5 },
  ]) {
    test(`a policy may not have ${JSON.stringify(change)}`, () => {
      assert.throws(() => checkPolicy({ ...good, ...change }, VOCAB_SIZE), UsageError);
    });
  }

  for (const plan of [
    { lanes: 0, chunk: 1 },
    { lanes: 257, chunk: 1 },
    { lanes: 1, chunk: 0 },
  ]) {
    test(`a plan may not be ${JSON.stringify(plan)}`, () => assert.throws(() => checkPlan(plan), UsageError));
  }
});

/**
 * @param {AsyncGenerator<import('../src/core/model/context.mjs').PredictedToken>} rows
 * @returns {Promise<Map<number, number[]>>}
 */
async function gather(rows) {
  const gathered = new Map();
  for await (const { index, logits } of rows) gathered.set(index, Array.from(logits));
  return gathered;
}
