/**
 * Models without ONNX: logits that follow from what was fed since the last reset, and a tokenizer that loses what it has no token
 * for. What a reader must feed alike shows, because any other feeding gives other rows.
 *
 * @module
 */

import { float16Values } from '../../src/core/model/source.mjs';
import { Lcg } from './lcg.mjs';

/** @typedef {import('../../src/core/model/source.mjs').LanguageModel} LanguageModel */
/** @typedef {import('../../src/core/model/source.mjs').LogitsSource} LogitsSource */
/** @typedef {import('../../src/core/model/source.mjs').LogitsType} LogitsType */
/** @typedef {import('../../src/core/model/tokenizer.mjs').Tokenizer} Tokenizer */

/**
 * @typedef {object} SyntheticOptions
 * @property {number} [vocabSize]
 * @property {number} [maxBatch]
 * @property {number} [cacheBytes]
 * @property {LogitsType} [logitsType]
 * @property {number} [spread] logits lie within plus and minus this
 * @property {string} [favours] text whose pairs of tokens get higher logits
 * @property {number} [noise] how far a log-prob may be from that of a source without noise
 * @property {number} [noiseSeed]
 * @property {number} [planTolerance] what it says of its plans where it is not exact
 * @property {boolean} [exact] whether it says that its logits are the same bits everywhere; with noise it never does
 */

const WORDS = ['the ', 'and ', 'ing', '10', '\n', 'é', '日本', '😀', ', ', 'compress'];
const CHARACTERS = 'abcdefghijklmnopqrstuvwxyz 0123456789.,\n日é';

/**
 * Greedy longest match; characters without a token are lost, as some are by real tokenizers.
 *
 * @type {Tokenizer}
 */
export const lossyTokenizer = (() => {
  const tokens = [...new Set([...WORDS, ...CHARACTERS])];
  const byLength = tokens.map((text, id) => ({ text, id })).sort((a, b) => b.text.length - a.text.length);
  return {
    size: tokens.length,
    has: (id) => id in tokens,
    encode: (text) => {
      const ids = [];
      let i = 0;
      while (i < text.length) {
        const found = byLength.find((token) => text.startsWith(token.text, i));
        if (found) ids.push(found.id);
        i += found ? found.text.length : 1;
      }
      return ids;
    },
    decode: (ids) => Array.from(ids, (id) => tokens[id] ?? '').join(''),
  };
})();

/** @implements {LogitsSource} */
export class SyntheticSource {
  /** What was asked of it, in order. @type {string[]} */
  calls = [];
  /** @type {number[]} */
  #states = [];
  #spread;
  /** @type {Map<number, Set<number>>} */
  #followers = new Map();
  #noise;
  #noiseLcg;

  /** @param {SyntheticOptions} [options] */
  constructor({
    vocabSize = lossyTokenizer.size + 3,
    maxBatch = Number.POSITIVE_INFINITY,
    cacheBytes,
    logitsType = 'float32',
    spread = 8,
    favours = '',
    noise = 0,
    noiseSeed = 1,
    exact = true,
    planTolerance,
  } = {}) {
    this.vocabSize = vocabSize;
    this.exactness = { exact: exact && noise === 0, reason: 'it was made so' };
    this.planTolerance = this.exactness.exact ? 0 : planTolerance;
    this.maxBatch = maxBatch;
    this.cacheBytes = cacheBytes;
    this.logitsType = logitsType;
    this.#spread = spread;
    const known = lossyTokenizer.encode(favours);
    for (const [i, id] of known.slice(1).entries()) {
      if (!this.#followers.has(known[i])) this.#followers.set(known[i], new Set());
      this.#followers.get(known[i])?.add(id);
    }
    this.#noise = noise;
    this.#noiseLcg = new Lcg(noiseSeed);
  }

  /** @param {number} batch */
  reset(batch) {
    if (batch > this.maxBatch) throw new Error('a larger batch was asked than the source allows');
    this.calls.push(`reset ${batch}`);
    this.#states = new Array(batch).fill(12345);
  }

  /** @param {number} batch */
  keepLanes(batch) {
    this.calls.push(`keep ${batch}`);
    this.#states.length = batch;
  }

  /**
   * @param {Uint32Array} ids
   * @param {number} length
   */
  async feed(ids, length) {
    this.calls.push(`feed ${Array.from(ids).join(' ')}`);
    const rows = [];
    for (const [lane, state] of this.#states.entries()) {
      let next = state;
      for (const id of ids.subarray(lane * length, (lane + 1) * length)) {
        next = (Math.imul(next ^ (id + 1), 0x9e3779b1) ^ (next >>> 15)) >>> 0;
        rows.push(this.#row(next, this.#followers.get(id)));
      }
      this.#states[lane] = next;
    }
    const values = rows.flatMap((row) => Array.from(row));
    return this.logitsType === 'float32' ? Float32Array.from(values) : Uint16Array.from(values, float16Bits);
  }

  /**
   * @param {number} seed
   * @param {Set<number>} [favoured]
   */
  #row(seed, favoured) {
    const row = new Lcg(seed).drawRow(this.vocabSize, this.#spread);
    for (const id of favoured ?? []) row[id] += 2 * this.#spread;
    if (this.logitsType === 'float16') return row.map((logit) => Math.round(logit * 64) / 64);
    if (this.#noise === 0) return row;
    // Logits that move by half of it move no log-prob by more; a little less leaves room for the rounding to 32 bits.
    return row.map((logit) => logit + (this.#noiseLcg.draw() % 2 ? 0.45 : -0.45) * this.#noise);
  }
}

/** @type {Map<number, number> | undefined} */
let bitsOfFloat16;

/** @param {number} value one that binary16 has */
function float16Bits(value) {
  bitsOfFloat16 ??= new Map(Array.from(float16Values(), (each, bits) => [each, bits]));
  return /** @type {number} */ (bitsOfFloat16.get(value));
}

/**
 * @param {SyntheticOptions} [options]
 * @returns {LanguageModel & { source: SyntheticSource }}
 */
export function syntheticModel(options) {
  return {
    source: new SyntheticSource(options),
    tokenizer: lossyTokenizer,
    modelSha256: 'ab'.repeat(32),
    tokenizerSha256: '0c'.repeat(32),
    fingerprint: 'synthetic/test',
  };
}
