/**
 * Which model a folder holds. Owns the finding of the manifest and of default folders; what a manifest says is `provenance`'s.
 *
 * @module
 */

import { readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reason, SetupError, UsageError } from '../core/errors.mjs';
import { parseManifest, variantSha256 } from '../core/model/manifest.mjs';
import { kindOf, readModelFile } from './files.mjs';

/** @typedef {import('../core/model/manifest.mjs').ModelRecord} ModelRecord */

const MANIFEST = 'manifest.toml';
const MODEL_VARIABLE = 'LLMZIP_MODEL';
const GRAPH_FILE = /^model(?:_(.+))?\.onnx$/s;
// As transformers.js names the graph that has no suffix.
const UNNAMED_VARIANT = 'fp32';
// For a graph that no manifest knows: wide enough for activations in half precision.
const CAUTIOUS_EPS = '2e-2';

/**
 * The folder in `LLMZIP_MODEL`, or the tiny model of this repository.
 *
 * @returns {string}
 * @throws {SetupError} there is neither
 */
export function defaultModelDir() {
  const named = process.env[MODEL_VARIABLE];
  if (named) return named;
  const tiny = fileURLToPath(new URL('../../../models/tiny', import.meta.url));
  if (kindOf(tiny) === 'folder') return tiny;
  throw new SetupError('there is no model beside this package', `name its folder with --model or ${MODEL_VARIABLE}`);
}

/**
 * The manifest's record of a model folder, or one made from what lies there.
 *
 * @param {string} modelDir
 * @returns {ModelRecord}
 * @throws {UsageError} there is no such folder
 * @throws {SetupError} it is not a model folder, or the manifest beside it cannot be used
 */
export function recordOf(modelDir) {
  if (kindOf(modelDir) !== 'folder') {
    throw new UsageError(
      `there is no model folder ${modelDir}`,
      'name a folder that holds config.json, tokenizer.json and onnx/',
    );
  }
  const folder = realpathSync(modelDir);
  const manifest = join(dirname(folder), MANIFEST);
  const records = kindOf(manifest) === 'file' ? readManifest(manifest) : [];
  const known = records.find((record) => resolve(dirname(manifest), record.folder) === folder);
  const record = known ?? unrecordedModel(folder);
  if (record.variants.length === 0) {
    throw new SetupError(
      `${modelDir} is not a model folder: it has no onnx/model.onnx and no onnx/model_NAME.onnx`,
      'name a folder that holds config.json, tokenizer.json and onnx/',
    );
  }
  return record;
}

/**
 * The names of the model and the variant of that SHA-256, where the manifest beside the default model knows them.
 *
 * @param {string} modelSha256
 * @returns {{ name: string, variant: string } | null}
 * @throws {SetupError} the manifest cannot be used
 */
export function findName(modelSha256) {
  let folder;
  try {
    folder = resolve(defaultModelDir());
  } catch (error) {
    if (error instanceof SetupError) return null;
    throw error;
  }
  const manifest = join(dirname(kindOf(folder) === undefined ? folder : realpathSync(folder)), MANIFEST);
  const records = kindOf(manifest) === 'file' ? readManifest(manifest) : [];
  for (const record of records) {
    const variant = record.variants.find((each) => variantSha256(record, each) === modelSha256);
    if (variant) return { name: record.name, variant: variant.dtype };
  }
  return null;
}

/**
 * @param {string} path
 * @returns {ModelRecord[]}
 * @throws {SetupError} it cannot be used
 */
function readManifest(path) {
  const bytes = readModelFile(path);
  try {
    return parseManifest(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SetupError(
      `${path} cannot be used: ${reason(cause)}`,
      'restore it; models/manifest.toml of the repository shows the form',
      cause,
    );
  }
}

/**
 * A record of what lies in a folder that no manifest knows: every graph in `onnx/`, without a hash.
 *
 * @param {string} folder
 * @returns {ModelRecord}
 */
function unrecordedModel(folder) {
  const graphs = join(folder, 'onnx');
  const files = kindOf(graphs) === 'folder' ? readdirSync(graphs) : [];
  const variants = files.flatMap((file) => {
    const match = GRAPH_FILE.exec(file);
    return match ? [{ dtype: match[1] ?? UNNAMED_VARIANT, file: `onnx/${file}`, data: [], eps: CAUTIOUS_EPS }] : [];
  });
  return {
    name: basename(folder),
    folder,
    window: 512,
    overlap: 128,
    startToken: 0,
    variants: variants.sort((a, b) => (a.dtype < b.dtype ? -1 : 1)),
    sha256: new Map(),
  };
}
