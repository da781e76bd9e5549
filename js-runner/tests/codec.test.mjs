/** The codec's promises: what is coded is decoded, whatever a reader within eps sees. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { BitDecoder, BitEncoder, StreamEnd } from '../src/core/codec/arithmetic-coder.mjs';
import { chooseParameters, encodeLane, LaneDecoder } from '../src/core/codec/block.mjs';
import { bitCost, Grid, guardOf } from '../src/core/codec/grid.mjs';
import { emptyLanePaths, path } from '../src/core/codec/lane-paths.mjs';
import { leader } from '../src/core/codec/tree/weights.mjs';
import { logProbs, Tree, treeDepth } from '../src/core/codec/tree.mjs';
import { FormatError } from '../src/core/errors.mjs';
import { Lcg } from './support/lcg.mjs';

const OFFSETS = 32;

test("a grid's costs are those of its probabilities", () => {
  for (const [cells, offsets] of [
    [2, 1],
    [3, 32],
    [24, 64],
    [2048, 32],
  ]) {
    const grid = new Grid(cells, offsets, 1e-5);
    const [zeros, ones] = grid.costs();
    assert.equal(zeros.length, (cells + 2) * offsets);
    assert.deepEqual(ones, Float64Array.from(grid.probabilities(), bitCost));
    assert.deepEqual(
      zeros,
      Float64Array.from(grid.probabilities(), (p) => bitCost(65536 - p)),
    );
  }
});

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

  test('spends a bit and the filling of a byte more than the entropy', () => {
    fc.assert(
      fc.property(events, (list) => {
        const encoder = new BitEncoder();
        let bits = 0;
        for (const { bit, p } of list) {
          encoder.encode(bit, p);
          bits -= Math.log2((bit ? p : 65536 - p) / 65536);
        }
        // Splitting rounds a little.
        assert.ok(8 * encoder.finish().length <= bits + 8 + 1e-4 * list.length);
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
          const { rows, ids, lane } = drawLane(vocabSize, tokens, seed, eps);
          const grid = new Grid(cells, offsets, eps);
          const stream = encodeLane(lane, grid, block);
          const limit = 8 + 2 * lane.depth * tokens + 2 * offsets * Math.ceil(tokens / block);
          assert.ok(stream.length <= limit, 'the stream is longer than a container allows');
          assert.deepEqual(decodeRows(new LaneDecoder(stream, grid, block), rows), ids);
        },
      ),
    );
  });

  for (const eps of EPS) {
    test(`hold against the worst reader within eps = ${eps}`, () => {
      let decisions = 0;
      // With noise a million in all.
      for (let seed = 1; decisions < 200_000; seed++) {
        const { rows, ids, lane } = drawLane(1 + (seed % 500) * 3 + 1, 150, seed, eps);
        const { cells, block } = chooseParameters([lane], OFFSETS, eps);
        const grid = new Grid(cells, OFFSETS, eps);
        const decoder = new LaneDecoder(encodeLane(lane, grid, block), grid, block);
        const noise = new Lcg(seed + 1000);
        const seen = rows.map((row) => worstRow(row, eps, noise));
        assert.deepEqual(decodeRows(decoder, seen), ids, `seed ${seed}`);
        decisions += ids.length + lane.coded.reduce((sum, coded) => sum + coded, 0);
      }
    });
  }

  test('escape where no offset is safe, at one bit a bit', () => {
    const { rows, ids, lane } = drawLane(64, 40, 5, 0.5);
    // With one offset and a guard as wide as many cells, nothing is safe.
    const grid = new Grid(4096, 1, 0.5);
    const stream = encodeLane(lane, grid, 8);
    assert.ok(stream.length >= (40 * 6) / 8 && stream.length <= (40 * 6) / 8 + 3);
    assert.deepEqual(decodeRows(new LaneDecoder(stream, grid, 8), rows), ids);
  });

  test('report an escaped id that the vocabulary has not', () => {
    const encoder = new BitEncoder();
    encoder.encode(1, 32768);
    for (const bit of [1, 1]) encoder.encode(bit, 32768);
    const decoder = new LaneDecoder(encoder.finish(), new Grid(2, 1, 0), 1);
    assert.throws(() => decodeRows(decoder, [new Float32Array(3)]), FormatError);
  });
});

/**
 * The token of each row.
 *
 * @param {LaneDecoder} decoder
 * @param {import('../src/core/codec/tree.mjs').Row[]} rows
 * @returns {number[]}
 */
function decodeRows(decoder, rows) {
  const tree = new Tree(rows[0].length);
  return rows.map((row) => {
    tree.takeRow(row);
    return decoder.decode(tree);
  });
}

/**
 * @param {number} vocabSize
 * @param {number} tokens
 * @param {number} seed
 * @param {number} eps
 */
function drawLane(vocabSize, tokens, seed, eps) {
  const lcg = new Lcg(seed);
  const tree = new Tree(vocabSize);
  const lane = emptyLanePaths(tokens, tree.depth, guardOf(eps));
  const rows = Array.from({ length: tokens }, () => lcg.drawRow(vocabSize, 8));
  const ids = rows.map((row) => lcg.drawToken(row));
  for (const [i, row] of rows.entries()) path(row, ids[i], lane, i, tree);
  return { rows, ids, lane };
}

/**
 * A row whose log-probs differ from `row`'s by up to eps, all in the same two directions: the leader against the others, the ids
 * with some bit against those without, or at random. Renormalising moves every log-prob, so the push is scaled until none is further
 * than eps.
 *
 * @param {import('../src/core/codec/tree.mjs').Row} row
 * @param {number} eps
 * @param {Lcg} noise
 * @returns {Float64Array}
 */
function worstRow(row, eps, noise) {
  const known = logProbs(row);
  const kind = noise.draw() % 3;
  const flip = noise.draw() % 2 ? 1 : -1;
  const first = leader(row).id;
  const bit = noise.draw() % treeDepth(row.length);
  const signs = Float64Array.from(row, (_, i) => {
    if (kind === 0) return i === first ? flip : -flip;
    if (kind === 1) return (i >> bit) & 1 ? flip : -flip;
    return noise.draw() % 2 ? 1 : -1;
  });
  let push = eps;
  let shift = 0;
  for (let round = 0; round < 20; round++) {
    shift = Math.log(known.reduce((sum, logProb, i) => sum + Math.exp(logProb + push * signs[i]), 0));
    push *= Math.min(1, eps / (push + Math.abs(shift)) || 1);
  }
  shift = Math.log(known.reduce((sum, logProb, i) => sum + Math.exp(logProb + push * signs[i]), 0));
  const seen = known.map((logProb, i) => logProb + push * signs[i] - shift);
  for (const [i, logProb] of seen.entries()) assert.ok(Math.abs(logProb - known[i]) <= eps + 1e-12);
  return seen;
}
