/** The codec, held to golden/codec: what Rust wrote, this must compute. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { AdaptiveBit, BitDecoder, BitEncoder } from '../src/core/codec/arithmetic-coder.mjs';
import { candidates, chooseParameters, encodeLane, LaneDecoder } from '../src/core/codec/block.mjs';
import { bitCost, Grid, guardOf, offsetNumerator, position } from '../src/core/codec/grid.mjs';
import { emptyLanePaths, path } from '../src/core/codec/lane-paths.mjs';
import { PROBABILITY_TABLE } from '../src/core/codec/probability-table.mjs';
import { logProb, Tree, treeDepth } from '../src/core/codec/tree.mjs';
import { epsValue, parseEps } from '../src/core/container/eps.mjs';
import { toHex } from '../src/core/container/layout.mjs';
import { sha256Hex } from '../src/core/model/provenance.mjs';
import { asRow } from '../src/core/model/source.mjs';
import { float32OfHex, float64OfHex, readGolden } from './support/golden.mjs';
import { Lcg } from './support/lcg.mjs';

const vectors = JSON.parse(readGolden('vectors.json').toString('utf8'));

/**
 * Holds `compute` to every vector of a list.
 *
 * @param {string} list
 * @param {(vector: any) => void} compute
 */
function check(list, compute) {
  test(list, () => {
    assert.ok(vectors[list].length > 0, `golden/codec/vectors.json has no ${list}`);
    for (const vector of vectors[list]) compute(vector);
  });
}

/**
 * @param {number} found
 * @param {number} expected
 * @param {number} tolerance
 */
function assertClose(found, expected, tolerance) {
  assert.ok(Math.abs(found - expected) <= tolerance, `${found} is not within ${tolerance} of ${expected}`);
}

/** @param {string} eps */
const epsOf = (eps) => epsValue(parseEps(eps));

/** @param {string} bits */
const bitsOf = (bits) => Array.from(bits, Number);

suite('golden vectors', () => {
  test('probability_table.bin', () => {
    const bytes = readGolden('probability_table.bin');
    assert.deepEqual(new Uint8Array(PROBABILITY_TABLE.buffer), new Uint8Array(bytes));
    assert.equal(sha256Hex(bytes), vectors.probability_table_sha256);
  });

  check('adaptive_bits', ({ bits, probabilities }) => {
    const adaptive = new AdaptiveBit();
    const found = bitsOf(bits).map((bit) => {
      const p = adaptive.probability();
      adaptive.update(bit);
      return p;
    });
    assert.deepEqual(found, probabilities);
  });

  check('bit_costs', ({ p, cost }) => assert.equal(bitCost(p), cost));

  test('offset_numerators', () => {
    assert.deepEqual(
      vectors.offset_numerators,
      vectors.offset_numerators.map((/** @type {number} */ _, /** @type {number} */ k) => offsetNumerator(k)),
    );
  });

  check('positions', (vector) => assertClose(position(float64OfHex(vector.v)), float64OfHex(vector.position), 1e-15));

  check('cells', ({ cells, eps, k, v, cell, is_safe, probability }) => {
    const grid = new Grid(cells, 64, epsOf(eps));
    assert.equal(grid.cell(float64OfHex(v), k), cell);
    assert.equal(grid.isSafe(float64OfHex(v), k, grid.guard), is_safe);
    assert.equal(grid.probability(cell, k), probability);
  });

  check('probability_indices', ({ cells, c, k, index, probability }) => {
    const grid = new Grid(cells, 64, 0);
    assert.equal(grid.probabilityIndex(c, k), index);
    assert.equal(grid.probability(c, k), probability);
    assert.equal(grid.probabilities()[(c + 1) * 64 + k], probability);
  });

  check('tree_depths', ({ vocab_size, depth }) => assert.equal(treeDepth(vocab_size), depth));

  check('parameters', ({ eps, candidates: expected }) => {
    assert.deepEqual(
      candidates(epsOf(eps)).map(({ cells, block }) => [cells, block]),
      expected,
    );
  });

  check('coder_streams', ({ bits, probabilities, stream }) => {
    const encoder = new BitEncoder();
    for (const [i, bit] of bitsOf(bits).entries()) encoder.encode(bit, probabilities[i]);
    assert.equal(toHex(encoder.finish()), stream);
    const decoder = new BitDecoder(Buffer.from(stream, 'hex'));
    assert.deepEqual(
      probabilities.map((/** @type {number} */ p) => decoder.decode(p)),
      bitsOf(bits),
    );
  });

  check('trees', (vector) => {
    const row = rowOf(vector);
    const tree = new Tree(row.length);
    const { depth } = tree;
    // With a guard as wide as this, every row has both its forms.
    const found = emptyLanePaths(1, depth, 100);
    path(row, vector.id, found, 0, tree);
    const odds = vector.leader_left_out ? found.others : found.all;
    assert.deepEqual(Array.from(found.bits), idBits(vector.id, depth));
    const coded = Array.from(found.coded.keys()).filter((d) => found.coded[d]);
    assert.equal(coded.map((d) => found.bits[d]).join(''), vector.bits);
    for (const [i, d] of coded.entries()) {
      const expected = float64OfHex(vector.log_odds[i]);
      assertClose(odds[d], expected, 1e-12 * Math.max(1, Math.abs(expected)));
    }
    const expected = float64OfHex(vector.log_prob);
    assertClose(logProb(row, vector.id), expected, 1e-12 * Math.max(1, Math.abs(expected)));
  });

  check('leaders', (vector) => {
    const row = rowOf(vector);
    const tree = new Tree(row.length);
    tree.takeRow(row);
    assert.equal(tree.leaderId, vector.leader);
    assert.equal(tree.lead, float64OfHex(vector.lead));
    const expected = float64OfHex(vector.leader_log_odds);
    assertClose(tree.leaderLogOdds(), expected, 1e-12 * Math.max(1, Math.abs(expected)));
  });

  check('leads', ({ eps, k, lead, leads, leads_safely }) => {
    const grid = new Grid(8, 64, epsOf(eps));
    assert.equal(grid.leads(float64OfHex(lead), k), leads);
    assert.equal(grid.leadsSafely(float64OfHex(lead), k), leads_safely);
  });

  check('leader_guards', ({ eps, v, leader_guard }) =>
    assertClose(new Grid(8, 64, epsOf(eps)).leaderGuard(float64OfHex(v)), float64OfHex(leader_guard), 1e-15),
  );

  check('lanes', ({ seed, tokens, vocab_size, spread, eps, offsets, cells, block, chosen, stream }) => {
    const lcg = new Lcg(seed);
    const tree = new Tree(vocab_size);
    const lane = emptyLanePaths(tokens, tree.depth, guardOf(epsOf(eps)));
    const rows = [];
    const ids = [];
    for (let token = 0; token < tokens; token++) {
      rows.push(lcg.drawRow(vocab_size, spread));
      ids.push(lcg.drawToken(rows[token]));
      path(rows[token], ids[token], lane, token, tree);
    }
    const grid = new Grid(cells, offsets, epsOf(eps));
    assert.equal(toHex(encodeLane(lane, grid, block)), stream);
    if (chosen) assert.deepEqual(chooseParameters([lane], offsets, epsOf(eps)), { cells, block });
    const decoder = new LaneDecoder(Buffer.from(stream, 'hex'), grid, block);
    assert.deepEqual(
      rows.map((row) => {
        tree.takeRow(row);
        return decoder.decode(tree);
      }),
      ids,
    );
  });
});

/** @param {any} vector */
function rowOf({ row, type, seed, vocab_size, spread }) {
  if (row === undefined) return new Lcg(seed).drawRow(vocab_size, spread);
  if (type === 'float32') return Float32Array.from(row, float32OfHex);
  const bits = Uint16Array.from(row, (/** @type {string} */ hex) => Number.parseInt(hex, 16));
  return asRow(bits, new Float64Array(bits.length));
}

/**
 * @param {number} id
 * @param {number} depth
 */
function idBits(id, depth) {
  return Array.from({ length: depth }, (_, d) => (id >> (depth - 1 - d)) & 1);
}
