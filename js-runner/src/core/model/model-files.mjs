/**
 * The files of one graph: the ONNX file and those beside it that hold weights of it, under one SHA-256 (FORMAT.md, section 2).
 *
 * Owns their reading: what was hashed is what is loaded.
 *
 * @module
 */

import { ModelError, UnsupportedError } from '../errors.mjs';
import { METADATA_KEY } from './exactness.mjs';
import { readGraphFacts } from './graph.mjs';
import { modelIdentity } from './identity.mjs';
import { checkSha256 } from './provenance.mjs';

/**
 * How the files of a model are reached. `readModelFile` throws a `SetupError` where there is no such file, an `IoError` where it cannot be
 * read; `sha256` is the system's own code, since a model is large; `beside` gives the path of another file in the same folder.
 *
 * @typedef {object} ModelFolder
 * @property {(path: string) => Uint8Array | Promise<Uint8Array>} readModelFile
 * @property {(bytes: Uint8Array) => string | Promise<string>} sha256
 * @property {(path: string, name: string) => string} beside
 * @property {(folder: string, name: string) => string} join
 */

/** @typedef {{ path: string, onnx: Uint8Array, data: Map<string, Uint8Array>, sha256: string }} ModelFiles */

/**
 * Reads an ONNX file and every file that it names.
 *
 * @param {ModelFolder} folder
 * @param {string} path
 * @param {string} [expected] the SHA-256 that they must have
 * @returns {Promise<ModelFiles>}
 * @throws {import('../errors.mjs').LlmzipError} setup, io, integrity; model where a weight lies behind the end of its file
 */
export async function readModelFiles(folder, path, expected) {
  const onnx = await folder.readModelFile(path);
  const onnxSha256 = await folder.sha256(onnx);
  const ends = Object.entries(dataFilesOf(onnx));
  /** @type {Map<string, Uint8Array>} */
  const data = new Map();
  /** @type {Map<string, string>} */
  const hashes = new Map();
  for (const [name] of ends) {
    const bytes = await folder.readModelFile(folder.beside(path, name));
    data.set(name, bytes);
    hashes.set(name, await folder.sha256(bytes));
  }
  const sha256 = modelIdentity(onnxSha256, hashes);
  if (expected !== undefined) {
    const covered = Array.from(hashes, ([name, hash]) => `, ${name} ${hash}`).join('');
    checkSha256(data.size > 0 ? `${path} with its files of weights (${onnxSha256}${covered})` : path, sha256, expected);
  }
  for (const [name, end] of ends) {
    const { length } = /** @type {Uint8Array} */ (data.get(name));
    if (length < end) {
      throw new ModelError(
        `${name} has ${length} bytes, but a weight ends at byte ${end}`,
        "get the model's files again, all of them",
      );
    }
  }
  return { path, onnx, data, sha256 };
}

/**
 * Holds what a graph says of its weights' places to what a runner takes.
 *
 * @param {import('./graph.mjs').GraphFacts} facts
 * @throws {UnsupportedError} weights lie where no runner looks, or in other files although the graph says that it is exact
 */
export function checkPlaces({ dataFiles, hiddenData, metadata }) {
  if (hiddenData) {
    throw new UnsupportedError(
      'the model keeps weights in other files, where this runner does not look for them',
      'only initializers of the graph itself may lie in files beside it; or use a model that is one file',
    );
  }
  if (Object.keys(dataFiles).length > 0 && Object.hasOwn(metadata, METADATA_KEY)) {
    throw new UnsupportedError(
      'the graph says that it is exact, but keeps weights in other files',
      'use an exact graph that is one file',
    );
  }
}

/**
 * @param {Uint8Array} onnx
 * @returns {Record<string, number>}
 */
function dataFilesOf(onnx) {
  try {
    return readGraphFacts(onnx).dataFiles;
  } catch (error) {
    // That it cannot be used is said when it is loaded, if it is the right file.
    if (error instanceof ModelError) return {};
    throw error;
  }
}
