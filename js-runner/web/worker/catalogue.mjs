/**
 * What the page is told of the models that it may use: `catalogue.json`.
 *
 * Owns its form. The server writes it (`src/browser/catalogue.mjs`), the worker reads it.
 *
 * @module
 */

import { IntegrityError } from '../../src/core/errors.mjs';

/**
 * One graph. `sha256` stands for the graph and its files of weights (FORMAT.md, section 2), which are `data`, relative to the model's folder.
 *
 * @typedef {object} OfferedVariant
 * @property {string} dtype
 * @property {string} eps
 * @property {string} sha256
 * @property {boolean} known whether a manifest states that hash
 * @property {string} file
 * @property {string[]} data
 */

/**
 * A file of the model: its SHA-256 is in its address, so that what was kept under that address is that file for ever.
 *
 * @typedef {{ path: string, bytes: number, sha256: string, known: boolean, address: string }} OfferedFile
 */

/**
 * @typedef {object} Catalogue
 * @property {string} name of the model
 * @property {number} window
 * @property {number} overlap
 * @property {number} startToken
 * @property {string} variant the one that is used unless another is chosen
 * @property {OfferedVariant[]} variants
 * @property {OfferedFile[]} files
 */

export const CATALOGUE = 'catalogue.json';
export const TOKENIZER_FILE = 'tokenizer.json';
export const CONFIG_FILE = 'config.json';

/**
 * The file of that path.
 *
 * @param {Catalogue} catalogue
 * @param {string} path
 * @returns {OfferedFile}
 * @throws {IntegrityError} the graph names a file that the server does not
 */
export function offeredFile({ name, files }, path) {
  const file = files.find((each) => each.path === path);
  if (file) return file;
  throw new IntegrityError(
    `the model ${name} needs ${path}, which is not among its files here`,
    "get the model's files again, all of them, and start the server again",
  );
}

/**
 * The graph that a container was written with.
 *
 * @param {Catalogue} catalogue
 * @param {string} modelSha256
 * @returns {OfferedVariant}
 * @throws {IntegrityError} it is not here
 */
export function variantOf({ name, variants }, modelSha256) {
  const variant = variants.find(({ sha256 }) => sha256 === modelSha256);
  if (variant) return variant;
  const here = variants.map(({ dtype, sha256 }) => `${name} ${dtype} ${sha256}`).join(', ');
  throw new IntegrityError(
    `the container was made with the model of SHA-256 ${modelSha256}; this page has ${here}`,
    'start the page with the model that wrote it: llmzip serve --model names its folder',
  );
}
