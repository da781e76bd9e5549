/** The times of round trips: what belongs together, and what is refused. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEps } from '../src/core/container/eps.mjs';
import { MAX_FRAME_BYTES } from '../src/core/container/layout.mjs';
import { LlmzipError, UsageError } from '../src/core/errors.mjs';
import { timeRoundTrips } from '../src/core/timing.mjs';
import { syntheticModel } from './support/synthetic.mjs';

const TEXT = Buffer.from('what is said once is said again, and again; '.repeat(20));
const SETTINGS = { eps: parseEps('1e-6'), policy: { startToken: 0, window: 64, overlap: 16 }, lanes: 3 };

for (const exact of [true, false]) {
  test(`every run is timed and the session is a part of it, ${exact ? 'exact' : 'not exact'}`, async () => {
    /** @type {[number, number][]} */
    const told = [];
    const report = (/** @type {number} */ done, /** @type {number} */ total) => told.push([done, total]);
    const timing = await timeRoundTrips(TEXT, syntheticModel({ exact, favours: `${TEXT}` }), SETTINGS, 2, report);
    assert.equal(timing.plain_bytes, TEXT.length);
    assert.ok(timing.container_bytes > 0);
    for (const runs of [timing.encode, timing.decode]) {
      assert.equal(runs.length, 2);
      for (const run of runs) {
        assert.ok(run.session_s > 0 && run.session_s < run.elapsed_s, JSON.stringify(run));
        assert.ok(run.passes_s > 0);
      }
    }
    assert.deepEqual(told.at(-1), [9 * timing.tokens, 9 * timing.tokens]);
    assert.ok(told.every(([done], i) => i === 0 || done > told[i - 1][0]));
  });
}

test('what is no coded frame is not timed', async () => {
  const check = (/** @type {Uint8Array} */ plain, /** @type {RegExp} */ said) =>
    assert.rejects(
      timeRoundTrips(plain, syntheticModel(), SETTINGS, 1, () => {}),
      (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, said);
        return true;
      },
    );
  await check(new Uint8Array(), /stored, not coded/);
  await check(new Uint8Array(MAX_FRAME_BYTES + 1), /more than a frame's/);
});

test('what compress would refuse is refused before the first pass', async () => {
  /** @type {(change: object, code: string, said: RegExp, options?: import('./support/synthetic.mjs').SyntheticOptions) => Promise<void>} */
  const check = async (change, code, said, options) => {
    const model = syntheticModel(options);
    await assert.rejects(
      timeRoundTrips(TEXT, model, { ...SETTINGS, ...change }, 1, () => {}),
      (error) => {
        assert.ok(error instanceof LlmzipError);
        assert.equal(error.code, code);
        assert.match(error.message, said);
        return true;
      },
    );
    assert.deepEqual(model.source.calls, []);
  };
  const { vocabSize } = syntheticModel().source;
  await check({ policy: { ...SETTINGS.policy, startToken: vocabSize } }, 'usage', /the start token is/);
  await check({ policy: { ...SETTINGS.policy, window: 1 } }, 'usage', /the window is/);
  await check({ lanes: 0 }, 'usage', /the number of lanes is 0/);
  await check({ eps: parseEps('0') }, 'unsupported', /eps 0 relies on/, { exact: false });
});
