/**
 * Models from folders of this machine, run by onnxruntime-node through transformers.js.
 *
 * Owns what `core`'s loader is given of Node; what must be true of a folder is that loader's.
 *
 * @module
 */

import { dirname, join } from 'node:path';
import { CPU, DEFAULT_SETTINGS, loadModelWith, loadTokenizerWith } from '../core/model/load.mjs';
import { fileSha256, readModelFile } from './files.mjs';
import { Profile } from './profile.mjs';
import { checkProvider, checkTookPart, unusableProvider } from './providers.mjs';
import { libraryVersions, openSession, openTokenizer } from './transformers.mjs';

export { DEFAULT_SETTINGS } from '../core/model/load.mjs';

/** @typedef {import('../core/model/load.mjs').ExpectedHashes} ExpectedHashes */
/** @typedef {import('../core/model/load.mjs').Inspection} Inspection */
/** @typedef {import('../core/model/load.mjs').LoadedModel} LoadedModel */
/** @typedef {import('../core/model/load.mjs').SessionOptions} SessionOptions */
/** @typedef {import('./transformers.mjs').OpenSession} OpenSession */

/** Model files of this machine. @type {import('../core/model/model-files.mjs').ModelFolder} */
export const FOLDER = {
  readModelFile,
  sha256: fileSha256,
  beside: (path, name) => join(dirname(path), name),
  join,
};

/** @type {import('../core/model/load.mjs').Engine<OpenSession>} */
const ENGINE = {
  checkProvider,
  openSession: ({ onnx, data }, modelFile, config, settings) => {
    const profile = settings.provider === CPU ? undefined : new Profile();
    return openSession(modelFile, onnx, data, config, settings, profile);
  },
  unusableProvider,
  provePart: async (provider, session, source) => {
    await source.feed(Uint32Array.of(0), 1);
    checkTookPart(provider, session.endProfile());
  },
  openTokenizer,
  versions: libraryVersions,
  place: ({ runtime }) => `ort-${runtime}/${process.arch}`,
};

/**
 * @param {string} modelDir
 * @param {string} modelFile relative to it, with `/` between its parts
 * @param {SessionOptions} [settings]
 * @param {ExpectedHashes} [expected]
 * @returns {Promise<LoadedModel>}
 * @throws {import('../core/errors.mjs').LlmzipError} usage, setup, io, integrity, vocabulary, model, unsupported
 */
export async function loadModel(modelDir, modelFile, settings = DEFAULT_SETTINGS, expected = {}) {
  return loadModelWith(FOLDER, ENGINE, modelDir, modelFile, settings, expected);
}

/**
 * @param {string} path for messages
 * @param {Uint8Array} bytes of a tokenizer.json
 * @returns {Promise<import('../core/model/tokenizer.mjs').Tokenizer>}
 * @throws {import('../core/errors.mjs').LlmzipError} model, setup
 */
export async function loadTokenizer(path, bytes) {
  return loadTokenizerWith(ENGINE, path, bytes);
}
