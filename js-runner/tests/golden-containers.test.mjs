/** Whole containers, held to golden/codec: equal logits give equal bytes, whoever writes. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseEps } from '../src/core/container/eps.mjs';
import { toHex } from '../src/core/container/layout.mjs';
import { float64OfHex, readGolden } from './support/golden.mjs';
import { Lcg } from './support/lcg.mjs';
import { compressBytes, decompressBytes } from './support/streams.mjs';

/** @typedef {import('../src/core/model/source.mjs').LogitsSource} LogitsSource */

const VOCAB_SIZE = 257;
const BELL = 7;

const { containers } = JSON.parse(readGolden('vectors.json').toString('utf8'));

/** The synthetic model of golden/codec/README.md. @implements {LogitsSource} */
class GoldenSource {
  vocabSize = VOCAB_SIZE;
  /** @type {'float32'} */
  logitsType = 'float32';
  /** Integers and a few exact sums: the same bits everywhere. */
  exactness = { exact: true, reason: 'it is synthetic' };
  planTolerance = 0;
  /** @type {number[]} */
  #lanes = [];

  /** @param {number} maxBatch */
  constructor(maxBatch) {
    this.maxBatch = maxBatch;
  }

  /** @param {number} batch */
  reset(batch) {
    this.#lanes = new Array(batch).fill(0);
  }

  /** @param {number} batch */
  keepLanes(batch) {
    this.#lanes.length = batch;
  }

  /**
   * @param {Uint32Array} ids
   * @param {number} length
   */
  async feed(ids, length) {
    const logits = new Float32Array(ids.length * VOCAB_SIZE);
    for (const [place, id] of ids.entries()) {
      const lane = Math.floor(place / length);
      this.#lanes[lane] = (Math.imul(this.#lanes[lane] ^ id, 16777619) + 1) >>> 0;
      logits.set(rowOf(this.#lanes[lane], id), place * VOCAB_SIZE);
    }
    return logits;
  }
}

/**
 * @param {number} seed
 * @param {number} id
 */
function rowOf(seed, id) {
  const lcg = new Lcg(seed);
  return Float32Array.from(
    { length: VOCAB_SIZE },
    (_, j) => baseOf(j) + (j === (id + 1) % 256 ? 3 : 0) + lcg.drawLogit(1),
  );
}

/** @param {number} j */
function baseOf(j) {
  if (j === 32 || (j >= 97 && j <= 122)) return 5;
  if (j === 10 || (j >= 48 && j <= 57)) return 4;
  return j >= 33 && j <= 126 ? 2 : 0;
}

/** The toy tokenizer of golden/codec/README.md. @type {import('../src/core/model/tokenizer.mjs').Tokenizer} */
const toyTokenizer = {
  size: 256,
  has: (id) => id < 256,
  encode: (text) => Array.from(new TextEncoder().encode(text)).filter((byte) => byte !== BELL),
  decode: (ids) =>
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(Array.from(ids).filter((id) => id < 256))),
};

suite('golden containers', () => {
  assert.ok(containers.length > 0, 'golden/codec/vectors.json has no containers');
  for (const vector of containers) {
    for (const maxBatch of [Number.POSITIVE_INFINITY, 1, 2]) {
      test(`${vector.name}, ${maxBatch} lanes at once`, async () => {
        const model = {
          source: new GoldenSource(maxBatch),
          tokenizer: toyTokenizer,
          modelSha256: vector.model_sha256,
          tokenizerSha256: vector.tokenizer_sha256,
          fingerprint: vector.fingerprint,
        };
        const plain = Uint8Array.from(Buffer.from(vector.plain, 'hex'));
        const { container, result } = await compressBytes(plain, model, {
          eps: parseEps(vector.eps),
          lanes: Number(vector.lanes),
          frameBytes: Number(vector.frame_bytes),
          policy: {
            startToken: Number(vector.start_token),
            window: Number(vector.window),
            overlap: Number(vector.overlap),
          },
        });
        assert.equal(toHex(container), vector.container);
        const entropy = float64OfHex(vector.entropy_bits);
        assert.ok(Math.abs(result.entropy_bits - entropy) <= 1e-12 * Math.max(1, entropy));
        for (const name of /** @type {const} */ (['stream_bytes', 'tokens']))
          assert.equal(result[name], Number(vector[name]));
        for (const name of /** @type {const} */ (['plain_sha256', 'tokens_sha256']))
          assert.equal(result[name], vector[name]);
        assert.deepEqual((await decompressBytes(container, model)).plain, plain);
      });
    }
  }
});
