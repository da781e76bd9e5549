/**
 * That the files of a model are those that they must be. Owns SHA-256; opens no file.
 *
 * @module
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { IntegrityError } from '../errors.mjs';

/** SHA-256 of bytes that come in pieces. */
export class Sha256 {
  #hash = sha256.create();

  /** @param {Uint8Array} bytes */
  update(bytes) {
    this.#hash.update(bytes);
  }

  /** @returns {string} lower-case hex; ends the hash */
  hex() {
    return bytesToHex(this.#hash.digest());
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {string} lower-case hex
 */
export function sha256Hex(bytes) {
  return bytesToHex(sha256(bytes));
}

/**
 * Holds bytes to the hash that they must have.
 *
 * @param {string} what
 * @param {Uint8Array} bytes
 * @param {string} expected
 * @returns {string} the hash
 * @throws {IntegrityError}
 */
export function verifySha256(what, bytes, expected) {
  const found = sha256Hex(bytes);
  checkSha256(what, found, expected);
  return found;
}

/**
 * @param {string} what
 * @param {string} found
 * @param {string} expected
 * @throws {IntegrityError}
 */
export function checkSha256(what, found, expected) {
  if (found !== expected) {
    throw new IntegrityError(
      `${what} has SHA-256 ${found}, expected is ${expected}`,
      'it is damaged or another version; get the file with the expected hash',
    );
  }
}
