/**
 * What the parts of a container share: limits, the lengths of lanes, hashes, checksums.
 *
 * @module
 */

import { FormatError } from '../../errors.mjs';

/** @typedef {import('../bytes.mjs').ByteReader} ByteReader */

export const MAX_FRAME_BYTES = 2 ** 24;
export const MAX_LANES = 256;
export const MAX_VOCAB_SIZE = 2 ** 20;
export const MAX_WINDOW = 2 ** 20;
export const SHA256_BYTES = 32;

/**
 * Tokens of lane `i` of `lanes`.
 *
 * @param {number} tokens
 * @param {number} lanes
 * @param {number} i
 * @returns {number}
 */
function laneLength(tokens, lanes, i) {
  return Math.floor(tokens / lanes) + Number(i < tokens % lanes);
}

/**
 * Tokens of each lane, in order.
 *
 * @param {number} tokens
 * @param {number} lanes
 * @returns {number[]}
 */
export function laneLengths(tokens, lanes) {
  return Array.from({ length: lanes }, (_, i) => laneLength(tokens, lanes, i));
}

/**
 * @param {ByteReader} reader
 * @param {string} part
 */
export function checkCrc32(reader, part) {
  const expected = reader.crc32();
  if (reader.u32(`the crc32 of ${part}`) !== expected) throw damaged(part, reader);
}

/**
 * @param {string} part
 * @param {ByteReader} reader
 */
export function damaged(part, reader) {
  return new FormatError(`${part} is damaged: its crc32 is not the stated one (before byte ${reader.offset})`);
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * @param {string} hex
 * @returns {Uint8Array}
 */
export function fromHex(hex) {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
