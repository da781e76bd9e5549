/**
 * The probabilities of the cells (FORMAT.md section 6) as numbers. Owns the reading of the table and nothing of its content: that
 * is data, equal in all languages.
 *
 * @module
 */

import { PROBABILITY_TABLE_BASE64 } from './probability-table-data.mjs';

export const TABLE_ENTRIES = 4096;

/**
 * The 4096 probabilities of bit 1, in 65536ths.
 *
 * @type {Uint16Array}
 */
export const PROBABILITY_TABLE = decode(PROBABILITY_TABLE_BASE64);

/**
 * @param {string} base64 the little-endian values
 * @returns {Uint16Array}
 */
function decode(base64) {
  const text = atob(base64);
  return Uint16Array.from(
    { length: text.length / 2 },
    (_, i) => text.charCodeAt(2 * i) | (text.charCodeAt(2 * i + 1) << 8),
  );
}
