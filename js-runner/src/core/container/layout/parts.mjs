/**
 * What the parts of a container share: limits, hashes, checksums.
 *
 * @module
 */

import { FormatError } from '../../errors.mjs';

/** @typedef {import('../bytes.mjs').ByteReader} ByteReader */

export const MAX_FRAME_BYTES = 2 ** 24;
export const MAX_VOCAB_SIZE = 2 ** 20;
export const SHA256_BYTES = 32;

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
