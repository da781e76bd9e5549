/** The weights of a row are as exact as they say. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeWeights } from '../src/core/codec/exponential.mjs';

test('within 1e-15 of Math.exp, growing, and 1 for the maximum', () => {
  const count = 2_000_001;
  const row = Float64Array.from({ length: count }, (_, i) => 7 - (count - 1 - i) * 3e-4);
  const weights = new Float64Array(count + 3).fill(-1);
  const sum = writeWeights(row, row[count - 1], 0, count, weights, 3);
  assert.deepEqual(weights.subarray(0, 3), Float64Array.of(-1, -1, -1));
  assert.equal(weights[count + 2], 1);
  let worst = 0;
  for (let i = 0; i < count; i++) {
    const weight = weights[3 + i];
    const expected = Math.exp(row[i] - row[count - 1]);
    worst = Math.max(worst, Math.abs(weight / expected - 1));
    if (i > 0 && weight <= weights[2 + i]) assert.fail(`it falls at ${row[i]}`);
  }
  // Math.exp may itself be off by an ulp.
  assert.ok(worst < 1.2e-15, `${worst}`);
  assert.ok(Math.abs(sum / weights.subarray(3).reduce((a, b) => a + b) - 1) < 1e-12);
});

test('no weight is below that of 600 less than the maximum, and a part of a row is a part', () => {
  const row = Float32Array.of(-1000, -600, 0, -601, 0);
  const weights = new Float64Array(5);
  assert.equal(writeWeights(row, 0, 1, 4, weights, 0), 1 + 2 * weights[1]);
  assert.equal(weights[0], 0);
  assert.equal(weights[4], 0);
  assert.equal(weights[3], weights[1]);
  assert.ok(Math.abs(weights[1] / Math.exp(-600) - 1) < 1.2e-15);
});
