/**
 * Owns the interface between whatever computes logits and whatever uses them. Codec tests stand on it with synthetic logits; the
 * ONNX session implements it.
 *
 * @module
 */

/** @typedef {'float32' | 'float16'} LogitsType */

/**
 * Logits in the graph's own type, row-major; 16-bit ones as their bits.
 *
 * @typedef {Float32Array | Uint16Array} Logits
 */

/**
 * Something that predicts: fed with ids, it gives the logits of what follows each.
 *
 * @typedef {object} LogitsSource
 * @property {number} vocabSize V, the number of logits in a row
 * @property {LogitsType} logitsType the element type of `feed`'s logits
 * @property {number} maxBatch the most lanes that are fed at once, at least 1; `Infinity` where any number may be
 * @property {number | undefined} [cacheBytes] bytes of the cache for an input of a lane, which bound how many lanes are fed at once;
 *   unless given they do not
 * @property {import('./exactness.mjs').Exactness} exactness whether its logits are the same bits everywhere and in every plan
 * @property {number | undefined} planTolerance the most nats that its log-probs may differ between two plans: 0 where they are exact,
 *   nothing where it is not known, or no eps that a container should have covers it
 * @property {(batch: number) => void} reset empties the cache; the next pass has `batch` lanes and starts at position 0
 * @property {(batch: number) => void} keepLanes keeps the first `batch` lanes of the cache and drops the others
 * @property {(ids: Uint32Array, length: number) => Promise<Logits>} feed feeds ids, `[batch, length]` row-major, after what the
 *   cache holds; gives the logits after each of them, `[batch, length, V]`, valid until the next call. Throws a `ModelError` when
 *   the graph fails.
 */

/**
 * Text to ids and back.
 *
 * @typedef {object} TextTokenizer
 * @property {(text: string) => number[]} encode adds no special tokens, recognises special-token text
 * @property {(ids: ArrayLike<number>) => string} decode keeps special tokens and does not clean up spaces; an id without a token
 *   stands for nothing
 */

/**
 * A source of logits with its tokenizer and what identifies the two; hashes are lower-case hexadecimal.
 *
 * @typedef {object} LanguageModel
 * @property {LogitsSource} source
 * @property {import('./tokenizer.mjs').Tokenizer} tokenizer
 * @property {string} modelSha256
 * @property {string} tokenizerSha256
 * @property {string} fingerprint what computes the logits, as a container names it
 */

/** @typedef {import('../codec/tree.mjs').Row} Row */

/** The plan tolerance of a graph whose cache is 32-bit floats: that of the class `other-plan` (FORMAT.md section 8). */
export const FLOAT32_PLAN_TOLERANCE = 2e-4;

const FLOAT16_VALUES = 65536;

/** @type {Float64Array | undefined} */
let float16Table;

/**
 * The value of every 16-bit pattern as a half-precision float.
 *
 * @returns {Float64Array}
 */
export function float16Values() {
  if (float16Table === undefined) {
    float16Table = Float64Array.from({ length: FLOAT16_VALUES }, (_, bits) => {
      const sign = bits & 0x8000 ? -1 : 1;
      const exponent = (bits >>> 10) & 0x1f;
      const fraction = bits & 0x3ff;
      if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
      if (exponent === 0) return sign * fraction * 2 ** -24;
      return sign * (1024 + fraction) * 2 ** (exponent - 25);
    });
  }
  return float16Table;
}

/**
 * A row of a graph's logits as numbers, `[V]`.
 *
 * @param {Logits} logits
 * @param {Float64Array} scratch `[V]`, written over where the logits must be widened
 * @returns {Row}
 */
export function asRow(logits, scratch) {
  if (logits instanceof Float32Array) return logits;
  const values = float16Values();
  for (let i = 0; i < logits.length; i++) scratch[i] = values[logits[i]];
  return scratch;
}
