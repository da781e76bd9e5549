/**
 * Reads golden files. Owns their places and the spelling of floats.
 *
 * @module
 */

import { readFileSync } from 'node:fs';

const GOLDEN = new URL('../../../golden/codec/', import.meta.url);

/**
 * @param {string} name
 * @returns {Buffer}
 */
export function readGolden(name) {
  return readFileSync(new URL(name, GOLDEN));
}

/**
 * @param {string} hex 16 digits, most significant first
 * @returns {number}
 */
export function float64OfHex(hex) {
  return Buffer.from(hex, 'hex').readDoubleBE();
}

/**
 * @param {string} hex 8 digits, most significant first
 * @returns {number}
 */
export function float32OfHex(hex) {
  return Buffer.from(hex, 'hex').readFloatBE();
}
