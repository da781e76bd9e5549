/**
 * What each token of a text cost: pages of it, an overview, and where the model was most surprised.
 *
 * Owns the way from ids back to pieces of text; draws nothing.
 *
 * @module
 */

import { isTextRun, runLength } from '../../src/core/container/runs.mjs';

/** @typedef {import('../../src/core/compressor/encode.mjs').FrameTokens} FrameTokens */
/** @typedef {import('../../src/core/model/source.mjs').TextTokenizer} TextTokenizer */

/**
 * A piece of the text: a token with its bits, several where only together they are characters, or bytes that have no token (`bits` is null).
 *
 * @typedef {{ text: string, bits: number | null, tokens: number }} Piece
 */

/** @typedef {{ before: string, text: string, bits: number, token: number }} Surprise */

/** The parts of the overview. */
const MOST_PARTS = 120;
const MOST_SURPRISES = 8;
const CONTEXT_TOKENS = 12;
// Bytes of one character, which may be as many tokens.
const MOST_TOKENS_OF_CHARACTER = 4;
const REPLACEMENT = '\ufffd';

export class TokenCosts {
  #tokenizer;
  /** @type {FrameTokens[]} */
  #frames = [];
  /** The number of the first token of each frame. @type {number[]} */
  #firsts = [];
  count = 0;
  /** Bytes that travel as they are. */
  literalBytes = 0;

  /** @param {TextTokenizer} tokenizer */
  constructor(tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** @param {FrameTokens} frame */
  add(frame) {
    this.#frames.push(frame);
    this.#firsts.push(this.count);
    this.count += frame.ids.length;
    this.literalBytes += frame.literals.length;
  }

  /** @returns {number} */
  get bits() {
    return this.#frames.reduce((sum, { logProbs }) => sum + bitsOf(logProbs), 0);
  }

  /**
   * Bits per token of equal parts of the text, one after another.
   *
   * @returns {number[]}
   */
  overview() {
    const parts = Math.min(MOST_PARTS, this.count);
    const sums = new Float64Array(parts);
    const counts = new Float64Array(parts);
    for (const [frame, { logProbs }] of this.#frames.entries()) {
      for (const [i, logProb] of logProbs.entries()) {
        const part = Math.floor(((this.#firsts[frame] + i) * parts) / this.count);
        sums[part] -= logProb / Math.LN2;
        counts[part] += 1;
      }
    }
    return Array.from(sums, (sum, part) => sum / counts[part]);
  }

  /**
   * The tokens that cost most, with what stands before them.
   *
   * @returns {Surprise[]}
   */
  surprises() {
    /** @type {{ frame: FrameTokens, first: number, i: number, logProb: number }[]} */
    const found = [];
    for (const [number, frame] of this.#frames.entries()) {
      for (const [i, logProb] of frame.logProbs.entries()) {
        if (found.length === MOST_SURPRISES && logProb >= found[found.length - 1].logProb) continue;
        found.push({ frame, first: this.#firsts[number], i, logProb });
        found.sort((a, b) => a.logProb - b.logProb);
        found.length = Math.min(found.length, MOST_SURPRISES);
      }
    }
    return found.map(({ frame, first, i, logProb }) => ({
      before: this.#tokenizer.decode(frame.ids.slice(Math.max(0, i - CONTEXT_TOKENS), i)),
      text: this.#tokenizer.decode([frame.ids[i]]),
      bits: -logProb / Math.LN2,
      token: first + i,
    }));
  }

  /**
   * The pieces of some tokens, and the bytes without a token before and among them.
   *
   * @param {number} start the number of the first
   * @param {number} count
   * @returns {Piece[]}
   */
  pieces(start, count) {
    const end = Math.min(start + count, this.count);
    return this.#frames.flatMap((frame, number) => {
      const first = this.#firsts[number];
      const from = Math.max(start - first, 0);
      const to = Math.min(end - first, frame.ids.length);
      return from < to ? this.#piecesOf(frame, from, to) : [];
    });
  }

  /**
   * @param {FrameTokens} frame
   * @param {number} from
   * @param {number} to
   * @returns {Piece[]}
   */
  #piecesOf({ runs, ids, logProbs }, from, to) {
    /** @type {Piece[]} */
    const pieces = [];
    let token = 0;
    for (const run of runs) {
      const length = runLength(run);
      if (!isTextRun(run)) {
        if (token >= from && token < to) pieces.push({ text: `${length} bytes`, bits: null, tokens: 0 });
        continue;
      }
      const last = Math.min(token + length, to);
      for (let i = Math.max(token, from); i < last; ) {
        const { text, tokens } = this.#character(ids, i, last);
        pieces.push({ text, bits: bitsOf(logProbs.subarray(i, i + tokens)), tokens });
        i += tokens;
      }
      token += length;
    }
    return pieces;
  }

  /**
   * The shortest run of tokens from a place on that is whole characters.
   *
   * @param {ArrayLike<number>} ids
   * @param {number} start
   * @param {number} end
   */
  #character(ids, start, end) {
    const most = Math.min(MOST_TOKENS_OF_CHARACTER, end - start);
    const first = this.#tokenizer.decode([ids[start]]);
    let text = first;
    for (let tokens = 1; tokens <= most; tokens++) {
      if (tokens > 1) text = this.#tokenizer.decode(Array.from({ length: tokens }, (_, i) => ids[start + i]));
      if (!text.includes(REPLACEMENT)) return { text, tokens };
    }
    return { text: first, tokens: 1 };
  }
}

/**
 * @param {Float64Array} logProbs in nats
 * @returns {number}
 */
function bitsOf(logProbs) {
  return logProbs.reduce((sum, logProb) => sum - logProb, 0) / Math.LN2;
}
