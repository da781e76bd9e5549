/**
 * Text to ids and back, alike in all three languages.
 *
 * Owns the repair of what transformers.js's tokenizer does otherwise than the original; splits no runs and
 * knows no containers.
 *
 * @module
 */

import { ModelError, UsageError } from '../errors.mjs';
import { LETTERS, NUMBERS } from './unicode.mjs';

/**
 * A model's tokenizer; `size` is its largest id, plus 1, and `has` tells whether there is a token of an id: below `size` there may be gaps.
 *
 * @typedef {import('./source.mjs').TextTokenizer & { size: number, has: (id: number) => boolean }} Tokenizer
 */

/**
 * What is used of a transformers.js tokenizer.
 *
 * @typedef {object} PreTrainedTokenizer
 * @property {(text: string, options: { add_special_tokens: boolean }) => number[]} encode
 * @property {(ids: number[], options: { skip_special_tokens: boolean, clean_up_tokenization_spaces: boolean }) => string} decode
 */

// transformers.js takes \d and \s as JavaScript does: ASCII digits; U+FEFF is a space, U+0085 none. The original means Unicode's.
const UNICODE_NUMBER = `[${NUMBERS}]`;
const BYTE_LEVEL_PIECES =
  `'s|'t|'re|'ve|'m|'ll|'d| ?[${LETTERS}]+| ?[${NUMBERS}]+| ?[^\\p{White_Space}${LETTERS}${NUMBERS}]+` +
  '|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+';

/**
 * tokenizer.json with those parts that transformers.js reads otherwise than the original written so that it reads them alike.
 *
 * @param {any} json the parsed file
 * @returns {any}
 */
export function alignTokenizer(json) {
  return {
    // The original may leave these out.
    normalizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
    ...json,
    pre_tokenizer: alignPreTokenizer(json.pre_tokenizer ?? null, symbolsWithoutToken(json.model)),
  };
}

/**
 * @param {any} part
 * @param {string[]} dropped
 * @returns {any}
 */
function alignPreTokenizer(part, dropped) {
  switch (part?.type) {
    case 'Sequence':
      return {
        ...part,
        pretokenizers: part.pretokenizers.map((/** @type {any} */ inner) => alignPreTokenizer(inner, dropped)),
      };
    case 'Digits':
      return split(part.individual_digits ? UNICODE_NUMBER : `${UNICODE_NUMBER}+`);
    case 'ByteLevel': {
      const parts = [part];
      if (part.use_regex !== false && !part.add_prefix_space) {
        parts.splice(0, 1, split(BYTE_LEVEL_PIECES), { ...part, use_regex: false });
      }
      if (dropped.length > 0) parts.push(drop(dropped));
      return { type: 'Sequence', pretokenizers: parts };
    }
    default:
      return part;
  }
}

/**
 * Byte-level symbols that the vocabulary lacks. The original drops them before it merges, so that their neighbours may merge.
 *
 * @param {any} model
 * @returns {string[]}
 */
function symbolsWithoutToken(model) {
  if (model?.type !== 'BPE' || model.unk_token || model.byte_fallback) return [];
  const vocab = new Set(Object.keys(model.vocab ?? {}));
  return byteLevelAlphabet().filter((symbol) => !vocab.has(symbol));
}

/**
 * The characters that stand for the 256 bytes: printable ones for themselves, the others from U+0100 on.
 *
 * @returns {string[]}
 */
function byteLevelAlphabet() {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(isPrintable ? byte : next++);
  });
}

/** @param {string[]} symbols */
function drop(symbols) {
  const codes = symbols.map((symbol) => `\\u${symbol.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return { type: 'Replace', pattern: { Regex: `[${codes.join('')}]` }, content: '' };
}

/** @param {string} regex */
function split(regex) {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}

/**
 * The ids of a tokenizer.json that have a token.
 *
 * @param {any} json the parsed file
 * @returns {Set<number>}
 * @throws {ModelError} it lists no tokens
 */
export function tokenIds(json) {
  const ids = new Set(Object.values(json.model?.vocab ?? {}).map(Number));
  for (const { id } of json.added_tokens ?? []) ids.add(Number(id));
  if (ids.size === 0 || ![...ids].every((id) => Number.isInteger(id) && id >= 0)) {
    throw new ModelError(
      'tokenizer.json is not a tokenizer: it has no tokens with ids',
      'take the tokenizer.json that belongs to the model',
    );
  }
  return ids;
}

/**
 * @param {PreTrainedTokenizer} tokenizer
 * @param {Set<number>} known the ids that have a token
 * @returns {Tokenizer}
 */
export function wrapTokenizer(tokenizer, known) {
  return {
    size: [...known].reduce((largest, id) => Math.max(largest, id), -1) + 1,
    has: (id) => known.has(id),
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }),
    decode: (ids) => {
      const tokens = Array.from(ids).filter((id) => known.has(id));
      if (tokens.length === 0) return '';
      return tokenizer.decode(tokens, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
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
