/**
 * Model folders for tests: the tiny model of the repository, and small ones made on the spot. Owns their files.
 *
 * @module
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256Hex } from '../../src/core/model/provenance.mjs';
import { recordOf } from '../../src/node/records.mjs';
import { graphAndTable } from './onnx.mjs';

export const TINY = fileURLToPath(new URL('../../../models/tiny', import.meta.url));

/** Why tests of the tiny model cannot run, or false. */
export const withoutTiny = existsSync(join(TINY, 'onnx', 'model_q4f16.onnx')) ? false : 'models/tiny is not here';

/** The variants of the tiny model. */
export const TINY_VARIANTS = withoutTiny ? [] : recordOf(TINY).variants.map(({ dtype }) => dtype);

/**
 * A folder that is removed after the test.
 *
 * @param {{ after: (hook: () => void) => void }} context
 * @returns {string}
 */
export function temporaryFolder(context) {
  const folder = mkdtempSync(join(tmpdir(), 'llmzip-test-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A tokenizer of eight single characters. */
export const TOKENIZER = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    vocab: { a: 0, b: 1, c: 2, d: 3, e: 4, f: 5, Ġ: 6, Ċ: 7 },
    merges: [],
  },
};

/**
 * @typedef {object} FolderOptions
 * @property {import('./onnx.mjs').GraphOptions} [graph]
 * @property {object} [config]
 * @property {object} [tokenizer]
 */

/**
 * Writes a model folder; gives its path and the hashes of its files.
 *
 * @param {string} folder
 * @param {FolderOptions} [options]
 */
export function writeModelFolder(folder, { graph, config, tokenizer } = {}) {
  const made = graphAndTable(graph);
  const files = {
    'config.json': JSON.stringify({ model_type: 'llama', vocab_size: 8, ...config }),
    'tokenizer.json': JSON.stringify({ ...TOKENIZER, ...tokenizer }),
    'onnx/model_q4.onnx': made.graph,
    ...(isBeside(graph?.tableFile) && { [`onnx/${graph?.tableFile}`]: made.table }),
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return { folder, ...hashesOf(folder, 'onnx/model_q4.onnx') };
}

/** @param {string | undefined} file */
function isBeside(file) {
  return file !== undefined && !file.includes('/');
}

/**
 * @param {string} folder
 * @param {string} modelFile
 */
export function hashesOf(folder, modelFile) {
  return {
    model: sha256Hex(readFileSync(join(folder, modelFile))),
    tokenizer: sha256Hex(readFileSync(join(folder, 'tokenizer.json'))),
  };
}
