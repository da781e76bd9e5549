/** The weights of a row are as exact as they say. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sumWeights, writeWeights } from '../src/core/codec/tree/weights.mjs';

test('as near to Math.exp as stated, growing, and 1 for the maximum', () => {
  const count = 2_000_001;
  const row = Float64Array.from({ length: count }, (_, i) => 7 - (count - 1 - i) * 3e-4);
  const weights = new Float64Array(count + 3).fill(-1);
  const maximum = row[count - 1];
  writeWeights(row, maximum, 0, count, weights, 3);
  assert.deepEqual(weights.subarray(0, 3), Float64Array.of(-1, -1, -1));
  assert.equal(weights[count + 2], 1);
  for (let i = 0; i < count; i++) {
    const below = row[i] - maximum;
    const error = Math.abs(weights[3 + i] / Math.exp(below) - 1);
    // Math.exp may itself be off by an ulp.
    if (error > 1.2e-15 - below * 2 ** -52) assert.fail(`off by ${error} at ${below}`);
    if (i > 0 && weights[3 + i] <= weights[2 + i]) assert.fail(`it falls at ${below}`);
  }
  let sum = 0;
  for (const weight of weights.subarray(3 + 5, 3 + count - 7)) sum += weight;
  assert.equal(sumWeights(row, maximum, 5, count - 7), sum);
});

test('no weight is below that of 600 less than the maximum, and a part of a row is a part', () => {
  const row = Float32Array.of(-1000, -600, 0, -601, 0);
  const weights = new Float64Array(5);
  writeWeights(row, 0, 1, 4, weights, 1);
  assert.deepEqual(weights, Float64Array.of(0, weights[1], 1, weights[1], 0));
  assert.ok(Math.abs(weights[1] / Math.exp(-600) - 1) < 1e-13);
  assert.equal(sumWeights(row, 0, 1, 4), 1 + 2 * weights[1]);
});
