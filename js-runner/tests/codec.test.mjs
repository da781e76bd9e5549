/** The codec's promises: what is coded is decoded, whatever a reader within eps sees. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { chooseParameters, encodeLane, LaneDecoder } from '../src/core/codec/block.mjs';
import { Grid } from '../src/core/codec/grid.mjs';
import { BitDecoder, BitEncoder, StreamEnd } from '../src/core/codec/range-coder.mjs';
import { emptyPath, logProb, logProbs, path, treeDepth, treeMasses } from '../src/core/codec/tree.mjs';
import { FormatError, ModelError } from '../src/core/errors.mjs';
import { asRow, float16Values } from '../src/core/model/source.mjs';
import { Lcg } from './support/lcg.mjs';

const OFFSETS = 32;
const SLACK = 2 ** -30;

suite('arithmetic coder', () => {
  const events = fc.array(fc.record({ bit: fc.integer({ min: 0, max: 1 }), p: fc.integer({ min: 1, max: 65535 }) }), {
    maxLength: 600,
  });

  test('gives back any bits at any probabilities', () => {
    fc.assert(
      fc.property(events, (list) => {
        const encoder = new BitEncoder();
        for (const { bit, p } of list) encoder.encode(bit, p);
        const decoder = new BitDecoder(encoder.finish());
        for (const { bit, p } of list) assert.equal(decoder.decode(p), bit);
      }),
    );
  });

  test('spends at most 3 bytes more than the entropy', () => {
    fc.assert(
      fc.property(events, (list) => {
        const encoder = new BitEncoder();
        let bits = 0;
        for (const { bit, p } of list) {
          encoder.encode(bit, p);
          bits -= Math.log2((bit ? p : 65536 - p) / 65536);
        }
        assert.ok(encoder.finish().length <= Math.ceil(bits / 8) + 3);
      }),
    );
  });

  test('reports a stream that ends too early', () => {
    const decoder = new BitDecoder(new Uint8Array(1));
    assert.throws(() => {
      for (let i = 0; i < 100; i++) decoder.decode(32768);
    }, StreamEnd);
  });
});

suite('tree', () => {
  test('log-odds of a path add up to the log-prob', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), (vocabSize, seed, pick) => {
        const row = new Lcg(seed).drawRow(vocabSize, 16);
        const id = pick % vocabSize;
        const lane = emptyPath(1, treeDepth(vocabSize));
        const masses = treeMasses(row);
        path(masses, id, vocabSize, lane, 0);
        let sum = 0;
        for (const [d, bit] of lane.bits.entries()) {
          if (lane.coded[d]) sum -= Math.log1p(Math.exp(bit ? -lane.logOdds[d] : lane.logOdds[d]));
          else assert.equal(bit, 0);
        }
        assert.ok(Math.abs(sum - logProb(row, id)) < 1e-11);
        assert.ok(Math.abs(logProb(row, id, masses) - logProb(row, id)) < 1e-12);
        assert.equal(logProbs(row)[id], logProb(row, id));
      }),
    );
  });

  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    test(`refuses a logit that is ${wrong}`, () => {
      const row = new Float32Array(5);
      row[3] = wrong;
      for (const use of [treeMasses, logProbs, (/** @type {Float32Array} */ each) => logProb(each, 0)]) {
        assert.throws(
          () => use(row),
          (error) => error instanceof ModelError && /for id 3/.test(error.message),
        );
      }
    });
  }

  test('widens 16-bit floats exactly', () => {
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
});

suite('lanes', () => {
  const EPS = [0, 1e-6, 5e-5, 1e-3, 2e-2, 0.5];

  test('come back from their stream, for any grid', () => {
    fc.assert(
      fc.property(
        fc.record({
          vocabSize: fc.integer({ min: 2, max: 70 }),
          tokens: fc.integer({ min: 1, max: 60 }),
          seed: fc.nat(),
          cells: fc.integer({ min: 2, max: 4096 }),
          block: fc.integer({ min: 1, max: 80 }),
          offsets: fc.integer({ min: 1, max: 64 }),
          eps: fc.constantFrom(...EPS),
        }),
        ({ vocabSize, tokens, seed, cells, block, offsets, eps }) => {
          const { rows, ids, lane } = drawLane(vocabSize, tokens, seed);
          const grid = new Grid(cells, offsets, eps);
          const stream = encodeLane(lane, grid, block);
          const limit = 8 + 2 * lane.depth * tokens + 2 * offsets * Math.ceil(tokens / block);
          assert.ok(stream.length <= limit, 'the stream is longer than a container allows');
          const decoder = new LaneDecoder(stream, grid, block, vocabSize);
          for (const [i, row] of rows.entries()) assert.equal(decoder.decode(treeMasses(row)), ids[i]);
        },
      ),
    );
  });

  for (const eps of EPS) {
    test(`hold against the worst reader within eps = ${eps}`, () => {
      let decisions = 0;
      for (let seed = 1; decisions < 50_000; seed++) {
        const { rows, ids, lane } = drawLane(1 + (seed % 500) * 3 + 1, 150, seed);
        const { cells, block } = chooseParameters([lane], OFFSETS, eps);
        const grid = new Grid(cells, OFFSETS, eps);
        const decoder = new LaneDecoder(encodeLane(lane, grid, block), grid, block, rows[0].length);
        const noise = new Lcg(seed + 1000);
        for (const [i, row] of rows.entries()) {
          // Every decision is off by as much as it can be: each half by eps, in opposite directions.
          const masses = shiftEveryDecision(treeMasses(row), () => (noise.draw() % 2 ? 1 : -1) * (2 * eps + SLACK / 2));
          assert.equal(decoder.decode(masses), ids[i], `token ${i} of seed ${seed}`);
        }
        decisions += lane.coded.reduce((sum, coded) => sum + coded, 0);
      }
    });
  }

  test('escape where no offset is safe, at one bit a bit', () => {
    const { rows, ids, lane } = drawLane(64, 40, 5);
    // With one offset and a guard as wide as many cells, nothing is safe.
    const grid = new Grid(4096, 1, 0.5);
    const stream = encodeLane(lane, grid, 8);
    assert.ok(stream.length >= (40 * 6) / 8 && stream.length <= (40 * 6) / 8 + 3);
    const decoder = new LaneDecoder(stream, grid, 8, 64);
    for (const [i, row] of rows.entries()) assert.equal(decoder.decode(treeMasses(row)), ids[i]);
  });

  test('report an escaped id that the vocabulary has not', () => {
    const encoder = new BitEncoder();
    encoder.encode(1, 32768);
    for (const bit of [1, 1]) encoder.encode(bit, 32768);
    const decoder = new LaneDecoder(encoder.finish(), new Grid(2, 1, 0), 1, 3);
    assert.throws(() => decoder.decode(treeMasses(new Float32Array(3))), FormatError);
  });
});

/**
 * @param {number} vocabSize
 * @param {number} tokens
 * @param {number} seed
 */
function drawLane(vocabSize, tokens, seed) {
  const lcg = new Lcg(seed);
  const lane = emptyPath(tokens, treeDepth(vocabSize));
  const rows = Array.from({ length: tokens }, () => lcg.drawRow(vocabSize, 8));
  const ids = rows.map((row) => lcg.drawToken(row));
  for (const [i, row] of rows.entries()) path(treeMasses(row), ids[i], vocabSize, lane, i);
  return { rows, ids, lane };
}

/**
 * Masses whose log-odds differ by `shift()` at every node.
 *
 * @param {Float64Array} masses
 * @param {() => number} shift
 */
function shiftEveryDecision(masses, shift) {
  const shifted = new Float64Array(masses.length);
  shifted[1] = 1;
  for (let node = 1; node < masses.length / 2; node++) {
    const left = masses[2 * node];
    const right = masses[2 * node + 1];
    if (left === 0 || right === 0) {
      shifted[2 * node] = left === 0 ? 0 : shifted[node];
      shifted[2 * node + 1] = right === 0 ? 0 : shifted[node];
      continue;
    }
    const v = Math.log(right) - Math.log(left) + shift();
    shifted[2 * node] = shifted[node] / (1 + Math.exp(v));
    shifted[2 * node + 1] = shifted[node] / (1 + Math.exp(-v));
  }
  return shifted;
}
