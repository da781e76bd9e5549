/**
 * Runs (FORMAT.md section 3): what of a frame travels as tokens and what as bytes.
 *
 * Owns the cutting and the joining; the tokenizer is a parameter.
 *
 * @module
 */

/**
 * A run as the container writes it: twice its length, plus 1 if it is literal. Lengths are tokens of text or bytes of literals.
 *
 * @typedef {number} Run
 */

/** @typedef {import('../model/source.mjs').TextTokenizer} TextTokenizer */
/** @typedef {{ runs: Run[], ids: number[], literals: Uint8Array }} SplitRuns */

/** @param {number} tokens @returns {Run} */
export const textRun = (tokens) => 2 * tokens;

/** @param {number} bytes @returns {Run} */
export const literalRun = (bytes) => 2 * bytes + 1;

/** @param {Run} run */
export const isTextRun = (run) => run % 2 === 0;

/** @param {Run} run */
export const runLength = (run) => Math.floor(run / 2);

const encoder = new TextEncoder();
// A byte order mark at the start is a scalar value like any other.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * @param {Uint8Array} plain
 * @param {TextTokenizer} tokenizer
 * @returns {SplitRuns}
 */
export function splitRuns(plain, tokenizer) {
  /** @type {Run[]} */
  const runs = [];
  /** @type {number[]} */
  const ids = [];
  const literals = new Uint8Array(plain.length);
  let literalBytes = 0;

  /** @param {Uint8Array} bytes */
  const addLiteral = (bytes) => {
    literals.set(bytes, literalBytes);
    literalBytes += bytes.length;
    const last = runs.at(-1);
    if (last !== undefined && !isTextRun(last)) runs[runs.length - 1] = last + 2 * bytes.length;
    else runs.push(literalRun(bytes.length));
  };

  /** @param {string} text */
  const addText = (text) => {
    const found = tokenizer.encode(text);
    if (found.length > 0 && tokenizer.decode(found) === text) {
      runs.push(textRun(found.length));
      for (const id of found) ids.push(id);
      return;
    }
    const count = scalarCount(text);
    if (count === 1) {
      addLiteral(encoder.encode(text));
      return;
    }
    const cut = scalarIndex(text, Math.floor(count / 2));
    addText(text.slice(0, cut));
    addText(text.slice(cut));
  };

  let start = 0;
  let i = 0;
  while (i < plain.length) {
    const length = sequenceLength(plain, i);
    if (length === 0) {
      if (i > start) addText(decoder.decode(plain.subarray(start, i)));
      addLiteral(plain.subarray(i, i + 1));
      start = i + 1;
    }
    i += Math.max(length, 1);
  }
  if (plain.length > start) addText(decoder.decode(plain.subarray(start)));
  return { runs, ids, literals: literals.slice(0, literalBytes) };
}

/**
 * The bytes of a frame; it stops soon after `limit` bytes, so that a hostile list of runs cannot fill the memory.
 *
 * @param {Run[]} runs
 * @param {Uint32Array} ids
 * @param {Uint8Array} literals
 * @param {TextTokenizer} tokenizer
 * @param {number} limit
 * @returns {Uint8Array}
 */
export function joinRuns(runs, ids, literals, tokenizer, limit) {
  const pieces = [];
  let total = 0;
  let token = 0;
  let literal = 0;
  for (const run of runs) {
    const length = runLength(run);
    const piece = isTextRun(run)
      ? encoder.encode(tokenizer.decode(ids.subarray(token, token + length)))
      : literals.subarray(literal, literal + length);
    if (isTextRun(run)) token += length;
    else literal += length;
    pieces.push(piece);
    total += piece.length;
    if (total > limit) break;
  }
  const plain = new Uint8Array(total);
  let end = 0;
  for (const piece of pieces) {
    plain.set(piece, end);
    end += piece.length;
  }
  return plain;
}

/**
 * Length of the well-formed UTF-8 sequence at `i` (Unicode, table 3-7), or 0 where none starts.
 *
 * @param {Uint8Array} bytes
 * @param {number} i
 * @returns {number}
 */
function sequenceLength(bytes, i) {
  const first = bytes[i];
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (i + length > bytes.length) return 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (bytes[i + 1] < least || bytes[i + 1] > most) return 0;
  for (let j = 2; j < length; j++) {
    if (bytes[i + j] < 0x80 || bytes[i + j] > 0xbf) return 0;
  }
  return length;
}

/** @param {string} text well-formed */
function scalarCount(text) {
  let count = text.length;
  for (let i = 0; i < text.length; i++) if (isHighSurrogate(text.charCodeAt(i))) count -= 1;
  return count;
}

/**
 * Index of the code unit at which scalar value number `n` starts.
 *
 * @param {string} text well-formed
 * @param {number} n
 */
function scalarIndex(text, n) {
  let i = 0;
  for (let seen = 0; seen < n; seen++) i += isHighSurrogate(text.charCodeAt(i)) ? 2 : 1;
  return i;
}

/** @param {number} unit */
function isHighSurrogate(unit) {
  return unit >= 0xd800 && unit <= 0xdbff;
}
