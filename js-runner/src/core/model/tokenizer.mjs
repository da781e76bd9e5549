/**
 * Text to ids and back, alike in all three languages.
 *
 * Owns the interface, and the repair of what transformers.js's tokenizer does otherwise than the original; splits no runs and
 * knows no containers.
 *
 * @module
 */

import { SetupError, UsageError } from '../errors.mjs';

/**
 * @typedef {object} Tokenizer
 * @property {number} size the largest id, plus 1
 * @property {(text: string) => number[]} encode adds no special tokens, recognises special-token text
 * @property {(ids: ArrayLike<number>) => string} decode keeps special tokens and does not clean up spaces
 */

/**
 * What is used of a transformers.js tokenizer.
 *
 * @typedef {object} PreTrainedTokenizer
 * @property {(text: string, options: { add_special_tokens: boolean }) => number[]} encode
 * @property {(ids: number[], options: { skip_special_tokens: boolean, clean_up_tokenization_spaces: boolean }) => string} decode
 */

// transformers.js takes \d and \s as JavaScript does: ASCII digits; U+FEFF is a space, U+0085 none. The original means Unicode's.
const UNICODE_NUMBER = '\\p{N}';
const BYTE_LEVEL_PIECES =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+" +
  '|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+';

/**
 * tokenizer.json with those pre-tokenizers that transformers.js reads differently written as the regular expressions that they are.
 *
 * @param {any} json the parsed file
 * @returns {any}
 */
export function withUnicodeClasses(json) {
  return { ...json, pre_tokenizer: repairPreTokenizer(json.pre_tokenizer) };
}

/**
 * @param {any} part
 * @returns {any}
 */
function repairPreTokenizer(part) {
  switch (part?.type) {
    case 'Sequence':
      return { ...part, pretokenizers: part.pretokenizers.map(repairPreTokenizer) };
    case 'Digits':
      return split(part.individual_digits ? UNICODE_NUMBER : `${UNICODE_NUMBER}+`);
    case 'ByteLevel':
      if (part.use_regex === false || part.add_prefix_space) return part;
      return { type: 'Sequence', pretokenizers: [split(BYTE_LEVEL_PIECES), { ...part, use_regex: false }] };
    default:
      return part;
  }
}

/** @param {string} regex */
function split(regex) {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}

/**
 * The largest id of a tokenizer.json, plus 1.
 *
 * @param {any} json the parsed file
 * @returns {number}
 * @throws {SetupError} it lists no tokens
 */
export function tokenizerSize(json) {
  let largest = -1;
  for (const id of Object.values(json.model?.vocab ?? {})) largest = Math.max(largest, Number(id));
  for (const { id } of json.added_tokens ?? []) largest = Math.max(largest, Number(id));
  if (!Number.isInteger(largest) || largest < 0) {
    throw new SetupError(
      'tokenizer.json lists no tokens with ids',
      'get the tokenizer again from where the model was made',
    );
  }
  return largest + 1;
}

/**
 * @param {PreTrainedTokenizer} tokenizer
 * @param {number} size
 * @returns {Tokenizer}
 */
export function wrapTokenizer(tokenizer, size) {
  return {
    size,
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }),
    decode: (ids) => {
      if (ids.length === 0) return '';
      return tokenizer.decode(Array.from(ids), { skip_special_tokens: false, clean_up_tokenization_spaces: false });
    },
  };
}

/**
 * Holds ids from outside to the vocabulary.
 *
 * @param {ArrayLike<number>} ids
 * @param {number} size
 * @throws {UsageError}
 */
export function checkIds(ids, size) {
  for (let i = 0; i < ids.length; i++) {
    if (!(Number.isInteger(ids[i]) && ids[i] >= 0 && ids[i] < size)) {
      throw new UsageError(`id ${ids[i]} at place ${i} is not below ${size}`, 'give ids of the loaded model');
    }
  }
}
