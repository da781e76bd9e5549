/**
 * The models that the page is offered: those graphs of a folder whose files are all there, each with the SHA-256 that it must have.
 *
 * Owns what of a folder the page may read. Hashes are the manifest's, so that the page holds the files to them; a file that no manifest knows
 * is hashed here.
 *
 * @module
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from '../core/errors.mjs';
import { findVariant, variantSha256 } from '../core/model/manifest.mjs';
import { readModelFiles } from '../core/model/model-files.mjs';
import { fileSha256, kindOf, readModelFile } from '../node/files.mjs';
import { FOLDER } from '../node/loader.mjs';
import { recordOf } from '../node/records.mjs';

/** @typedef {import('../../web/worker/catalogue.mjs').Catalogue} Catalogue */
/** @typedef {import('../../web/worker/catalogue.mjs').OfferedFile} OfferedFile */
/** @typedef {import('../../web/worker/catalogue.mjs').OfferedVariant} OfferedVariant */
/** @typedef {import('../core/model/manifest.mjs').ModelRecord} ModelRecord */
/** @typedef {import('../core/model/manifest.mjs').Variant} Variant */

const SHARED_FILES = ['tokenizer.json', 'config.json'];

/**
 * @param {string} modelDir
 * @param {string} [dtype] the variant that is used unless another is chosen
 * @returns {Promise<Catalogue>}
 * @throws {import('../core/errors.mjs').LlmzipError} usage, setup, io
 */
export async function catalogueOf(modelDir, dtype) {
  const record = recordOf(modelDir);
  const isThere = (/** @type {string} */ path) => kindOf(join(modelDir, path)) === 'file';
  const variants = record.variants.filter(({ file, data }) => [file, ...data].every(isThere));
  const missing = SHARED_FILES.find((path) => !isThere(path));
  if (variants.length === 0 || missing !== undefined) {
    throw new SetupError(
      `${modelDir} has ${missing === undefined ? 'no graph whose files are all there' : `no ${missing}`}`,
      `get the model's files first: cargo run -- models fetch ${record.name}`,
    );
  }
  const chosen = findVariant({ ...record, variants }, dtype);
  const offered = await Promise.all(variants.map((variant) => offeredVariant(modelDir, record, variant)));
  const paths = [...new Set([...offered.flatMap(({ file, data }) => [file, ...data]), ...SHARED_FILES])];
  return {
    name: record.name,
    window: record.window,
    overlap: record.overlap,
    startToken: record.startToken,
    variant: chosen.dtype,
    variants: offered,
    files: paths.map((path) => offeredFile(modelDir, record, path)),
  };
}

/**
 * @param {string} modelDir
 * @param {ModelRecord} record
 * @param {Variant} variant
 * @returns {Promise<OfferedVariant>}
 */
async function offeredVariant(modelDir, record, variant) {
  const { dtype, eps, file, data } = variant;
  const sha256 = variantSha256(record, variant);
  if (sha256 !== undefined) return { dtype, eps, sha256, known: true, file, data };
  // Where no manifest lists the files of weights, the graph names them.
  const found = await readModelFiles(FOLDER, join(modelDir, file));
  const beside = Array.from(found.data.keys(), (name) => `${file.slice(0, file.lastIndexOf('/') + 1)}${name}`);
  return { dtype, eps, sha256: found.sha256, known: false, file, data: beside };
}

/**
 * @param {string} modelDir
 * @param {ModelRecord} record
 * @param {string} path
 * @returns {OfferedFile}
 */
function offeredFile(modelDir, record, path) {
  const stated = record.sha256.get(path);
  const sha256 = stated ?? fileSha256(readModelFile(join(modelDir, path)));
  const name = encodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
  const { size } = statSync(join(modelDir, path));
  return { path, bytes: size, sha256, known: stated !== undefined, address: `models/${sha256}/${name}` };
}
