/**
 * Log-probs of the next token: the library's way to ask a model, and the `logprobs` operation's files.
 *
 * Owns the API that feeds compression and comparison alike; the codec has no part in it, and no file is opened here.
 *
 * @module
 */

import { logProb, logProbs } from './codec/tree.mjs';
import { checkPlan, checkPolicy, Feeder, passes, rowsOfKnownTokens } from './model/context.mjs';
import { asRow } from './model/source.mjs';
import { checkIds } from './model/tokenizer.mjs';

/** @typedef {import('./model/context.mjs').ContextPolicy} ContextPolicy */
/** @typedef {import('./model/context.mjs').Plan} Plan */
/** @typedef {import('./model/source.mjs').Logits} Logits */
/** @typedef {import('./model/source.mjs').LogitsSource} LogitsSource */

/** @typedef {(bytes: Uint8Array, offset: number) => Promise<void>} WriteAt */

/**
 * Asks for one token after the other: `logProbs()` of the next, `append(id)` once it is known. The source is this object's alone as
 * long as it is used.
 */
export class NextToken {
  #source;
  #scratch;
  #passes;
  #feeder;
  /** @type {number[]} */
  #ids = [];
  /** @type {Promise<Logits> | undefined} */
  #row;

  /**
   * @param {LogitsSource} source
   * @param {ContextPolicy} policy
   */
  constructor(source, policy) {
    checkPolicy(policy, source.vocabSize);
    this.#source = source;
    this.#scratch = new Float64Array(source.vocabSize);
    this.#passes = passes([Number.POSITIVE_INFINITY], policy, 1);
    this.#feeder = new Feeder(source, policy, [{ lane: 0, first: 0, ids: this.#ids }]);
  }

  /**
   * The graph's own logits for the next token, `[V]`, valid until the next call after `append`.
   *
   * @returns {Promise<Logits>}
   * @throws {import('./errors.mjs').ModelError}
   */
  logits() {
    this.#row ??= this.#feeder.feed(/** @type {import('./model/context.mjs').Pass} */ (this.#passes.next().value));
    return this.#row;
  }

  /**
   * Log-probs of the next token, `[V]`, binary64, in nats.
   *
   * @returns {Promise<Float64Array>}
   * @throws {import('./errors.mjs').ModelError}
   */
  async logProbs() {
    return logProbs(asRow(await this.logits(), this.#scratch));
  }

  /**
   * Says what the next token is.
   *
   * @param {number} id
   * @throws {import('./errors.mjs').UsageError} it is not in the vocabulary
   */
  async append(id) {
    checkIds([id], this.#source.vocabSize);
    await this.logits();
    this.#ids.push(id);
    this.#row = undefined;
  }
}

/**
 * The logits and log-probs that predict each of some known ids, in the order in which the plan computes them. The arrays of one
 * step are valid until the next.
 *
 * @param {LogitsSource} source
 * @param {ContextPolicy} policy
 * @param {Plan} plan
 * @param {Uint32Array} ids
 * @returns {AsyncGenerator<{ index: number, logits: Logits, logProb: number, logProbs: () => Float64Array }>}
 * @throws {import('./errors.mjs').LlmzipError} usage, model
 */
export async function* nextTokenLogProbs(source, policy, plan, ids) {
  checkPolicy(policy, source.vocabSize);
  checkPlan(plan);
  checkIds(ids, source.vocabSize);
  const scratch = new Float64Array(source.vocabSize);
  const out = new Float64Array(source.vocabSize);
  for await (const { index, logits } of rowsOfKnownTokens(source, policy, plan, ids)) {
    const row = asRow(logits, scratch);
    yield { index, logits, logProb: logProb(row, ids[index]), logProbs: () => logProbs(row, out) };
  }
}

/**
 * Writes what PROTOCOL.md's `logprobs` asks for, little-endian, a row per id at the place of the id.
 *
 * @param {LogitsSource} source
 * @param {ContextPolicy} policy
 * @param {Plan} plan
 * @param {Uint32Array} ids
 * @param {{ logits: WriteAt, coded: WriteAt, rows?: WriteAt | undefined }} files
 * @param {(done: number, total: number) => void} progress
 */
export async function writeLogProbs(source, policy, plan, ids, files, progress) {
  const coded = new Float64Array(ids.length);
  let done = 0;
  for await (const step of nextTokenLogProbs(source, policy, plan, ids)) {
    coded[step.index] = step.logProb;
    // Lanes take turns, so rows do not come in the order of the file.
    await files.logits(bytesOf(step.logits), step.index * step.logits.byteLength);
    if (files.rows) {
      const row = step.logProbs();
      await files.rows(bytesOf(row), step.index * row.byteLength);
    }
    done += 1;
    progress(done, ids.length);
  }
  await files.coded(bytesOf(coded), 0);
}

/** @param {Logits | Float64Array} values */
function bytesOf({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(/** @type {ArrayBuffer} */ (buffer), byteOffset, byteLength);
}
