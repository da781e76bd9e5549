/**
 * Which files a model is made of, and that they are those.
 *
 * Owns the manifest's meaning and SHA-256; opens no file.
 *
 * @module
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { parse } from 'smol-toml';
import { IntegrityError, UsageError } from '../errors.mjs';

/** @typedef {{ dtype: string, file: string, eps: string }} Variant one graph of a model */

/**
 * A model as the manifest knows it. `folder` is relative to the manifest, `sha256` is by path relative to the model's folder.
 *
 * @typedef {object} ModelRecord
 * @property {string} name
 * @property {string} folder
 * @property {number} window
 * @property {number} overlap
 * @property {number} startToken
 * @property {Variant[]} variants
 * @property {Map<string, string>} sha256
 */

const MANIFEST_VERSION = 1;
// The first of these that a model has.
const DEFAULT_VARIANTS = ['exact', 'q4f16'];

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

/**
 * @param {string} toml
 * @returns {ModelRecord[]}
 * @throws {IntegrityError} it is not a manifest
 */
export function parseManifest(toml) {
  try {
    /** @type {any} */
    const manifest = parse(toml);
    if (manifest.version !== MANIFEST_VERSION) throw new TypeError(`its version is ${manifest.version}`);
    return manifest.model.map(toRecord);
  } catch (cause) {
    throw new IntegrityError(
      `the manifest is not one: ${cause instanceof Error ? cause.message : cause}`,
      'restore models/manifest.toml from the repository',
    );
  }
}

/**
 * @param {any} entry
 * @returns {ModelRecord}
 */
function toRecord(entry) {
  return {
    name: String(entry.name),
    folder: String(entry.folder),
    window: Number(entry.window),
    overlap: Number(entry.overlap),
    startToken: Number(entry.start_token),
    variants: entry.variant.map((/** @type {any} */ { dtype, file, eps }) => ({
      dtype: String(dtype),
      file: String(file),
      eps: String(eps),
    })),
    sha256: new Map(
      entry.file.flatMap((/** @type {any} */ { path, sha256: hash }) => (hash ? [[String(path), String(hash)]] : [])),
    ),
  };
}

/**
 * The variant of that name; without a name `exact`, else `q4f16`, else the first.
 *
 * @param {ModelRecord} record
 * @param {string} [dtype]
 * @returns {Variant}
 * @throws {UsageError} there is no such variant
 */
export function findVariant({ name, variants }, dtype) {
  const known = variants.map((variant) => variant.dtype);
  const wanted = dtype === undefined ? [...DEFAULT_VARIANTS, ...known] : [dtype];
  for (const candidate of wanted) {
    const variant = variants.find((each) => each.dtype === candidate);
    if (variant) return variant;
  }
  throw new UsageError(`the model ${name} has no variant ${dtype ?? 'at all'}`, `use one of: ${known.join(', ')}`);
}
