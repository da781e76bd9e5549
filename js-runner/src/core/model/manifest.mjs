/**
 * What a manifest says of the models that it knows. Owns its fields, and that it is refused as a whole; opens no file.
 *
 * @module
 */

import { parse } from 'smol-toml';
import { UsageError } from '../errors.mjs';
import { modelIdentity } from './identity.mjs';

/** @typedef {{ dtype: string, file: string, data: string[], eps: string }} Variant one graph of a model; `data` are its files of weights */
/** @typedef {Record<string, unknown>} Table */

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

const VERSION = 1;
// In the place of a SHA-256 that nobody knows yet.
const UNKNOWN = 'unknown';
// The first of these that a model has.
const DEFAULT_VARIANTS = ['exact', 'q4f16'];

/**
 * The models of a manifest.
 *
 * @param {string} toml
 * @returns {ModelRecord[]}
 * @throws {Error} what is wrong with it
 */
export function parseManifest(toml) {
  // As BigInt, so that a whole number is told from a fraction.
  const manifest = /** @type {Table} */ (parse(toml, { integersAsBigInt: true }));
  const version = number(manifest, 'version');
  if (version !== VERSION) throw new Error(`it has version ${version}, this program knows version ${VERSION}`);
  const records = tables(manifest, 'model').map(toRecord);
  checkDifferent(
    'model',
    records.map(({ name }) => name),
  );
  return records;
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

/**
 * The SHA-256 that a variant must have, its files of weights included, where those of all its files are known.
 *
 * @param {ModelRecord} record
 * @param {Variant} variant
 * @returns {string | undefined}
 */
export function variantSha256({ sha256 }, { file, data }) {
  const onnx = sha256.get(file);
  const known = data.flatMap((path) => {
    const hash = sha256.get(path);
    return hash === undefined ? [] : [/** @type {[string, string]} */ ([path.slice(folderOf(path).length), hash])];
  });
  return onnx === undefined || known.length < data.length ? undefined : modelIdentity(onnx, new Map(known));
}

/**
 * @param {Table} entry
 * @returns {ModelRecord}
 */
function toRecord(entry) {
  // Also what is not used here: a manifest is good or bad for all three languages alike.
  for (const name of ['source', 'licence']) text(entry, name);
  path(entry, 'tokenizer');
  const [window, overlap] = [number(entry, 'window'), number(entry, 'overlap')];
  if (window < 2 || overlap >= window) {
    throw new Error(`a window of ${window} and an overlap of ${overlap} do not go together`);
  }
  const files = tables(entry, 'file').map((file) => ({ path: path(file, 'path'), sha256: sha256(file) }));
  checkDifferent(
    'file',
    files.map((file) => file.path),
  );
  return {
    name: text(entry, 'name'),
    folder: path(entry, 'folder'),
    window,
    overlap,
    startToken: number(entry, 'start_token'),
    variants: tables(entry, 'variant').map(toVariant),
    sha256: new Map(files.flatMap((file) => (file.sha256 === undefined ? [] : [[file.path, file.sha256]]))),
  };
}

/**
 * @param {Table} entry
 * @returns {Variant}
 */
function toVariant(entry) {
  text(entry, 'activation');
  const file = path(entry, 'file');
  const listed = entry.data ?? [];
  if (!Array.isArray(listed)) throw new Error('data is no list of paths');
  const data = listed.map((each) => path({ data: each }, 'data'));
  const outside = data.find((each) => folderOf(each) !== folderOf(file));
  if (outside !== undefined) throw new Error(`${JSON.stringify(outside)} does not lie beside ${file}`);
  checkDifferent('data', data);
  return { dtype: text(entry, 'dtype'), file, data, eps: text(entry, 'eps') };
}

/** @param {string} file */
function folderOf(file) {
  return file.slice(0, file.lastIndexOf('/') + 1);
}

/**
 * @param {Table} entry
 * @param {string} name
 * @returns {string}
 */
function text(entry, name) {
  const value = entry[name];
  if (typeof value !== 'string') throw new Error(`${name} is ${value}, not a text`);
  return value;
}

/**
 * @param {Table} entry
 * @param {string} name
 * @returns {number}
 */
function number(entry, name) {
  const value = entry[name];
  if (typeof value !== 'bigint' || value < 0 || value > Number.MAX_SAFE_INTEGER) {
    throw new Error(`${name} is ${value}, not a whole number`);
  }
  return Number(value);
}

/**
 * @param {Table} entry
 * @param {string} name
 * @returns {string}
 */
function path(entry, name) {
  const value = text(entry, name);
  if (value.includes('\\') || value.split('/').some((part) => ['', '.', '..'].includes(part))) {
    throw new Error(`${name} is ${JSON.stringify(value)}, not a path inside its folder`);
  }
  return value;
}

/**
 * The hash of a file, where it is known.
 *
 * @param {Table} entry
 * @returns {string | undefined}
 */
function sha256(entry) {
  if ('bytes' in entry) number(entry, 'bytes');
  if (!('sha256' in entry)) return undefined;
  const value = text(entry, 'sha256');
  if (value === UNKNOWN) return undefined;
  if (!/^[0-9a-f]{64}$/.test(value)) throw new Error(`sha256 is ${value}, not 64 lower-case hex digits`);
  return value;
}

/**
 * @param {Table} entry
 * @param {string} name
 * @returns {Table[]}
 */
function tables(entry, name) {
  const value = entry[name] ?? [];
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'object' && !Array.isArray(each))) {
    throw new Error(`${name} is no list of tables`);
  }
  return value;
}

/**
 * @param {string} what
 * @param {string[]} names
 */
function checkDifferent(what, names) {
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined) throw new Error(`it names the ${what} ${JSON.stringify(twice)} twice`);
}
