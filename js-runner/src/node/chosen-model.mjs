/**
 * Which model a command uses, and its loading as the options say. Owns the words about it; loading is the loader's.
 *
 * @module
 */

import { join } from 'node:path';
import { IntegrityError, UsageError } from '../core/errors.mjs';
import { findVariant, variantSha256 } from '../core/model/manifest.mjs';
import { readModelFiles } from '../core/model/model-files.mjs';
import { DEFAULT_SETTINGS, FOLDER, loadModel } from './loader.mjs';
import { positive } from './options.mjs';
import { PROVIDERS } from './providers.mjs';
import { defaultModelDir, recordOf } from './records.mjs';
import { say, warn } from './talk.mjs';

/** @typedef {import('../core/model/manifest.mjs').ModelRecord} ModelRecord */
/** @typedef {import('../core/model/manifest.mjs').Variant} Variant */
/** @typedef {import('./options.mjs').Options} Options */

/** @param {Options} options */
export function chooseVariant(options) {
  const modelDir = modelDirOf(options);
  const record = recordOf(modelDir);
  const dtype = options.variant === undefined ? undefined : String(options.variant);
  return { modelDir, record, variant: findVariant(record, dtype) };
}

/**
 * @param {Options} options
 * @param {string} modelDir
 * @param {ModelRecord} record
 * @param {Variant} variant
 */
export async function loadVariant(options, modelDir, record, variant) {
  const known = options['no-verify-sha'] ? new Map() : record.sha256;
  const sha256 = variantSha256(record, variant);
  const model = await loadModel(modelDir, variant.file, settingsOf(options), {
    model: options['no-verify-sha'] ? undefined : sha256,
    tokenizer: known.get('tokenizer.json'),
    config: known.get('config.json'),
  });
  if (options['no-verify-sha']) {
    // Quiet or not: whoever reads the log must see that nothing vouches for what follows.
    warn(`warning: --no-verify-sha: ${model.modelPath} was held to no SHA-256; it has ${model.modelSha256}`);
  } else if (sha256 === undefined) {
    say(`note: no manifest knows ${model.modelPath}; its SHA-256 is ${model.modelSha256}`);
  }
  return model;
}

/**
 * A graph that takes one lane at a time does what it should, but not as fast as lanes are meant to be.
 *
 * @param {import('./loader.mjs').LoadedModel} model
 */
export function warnOfSingleLanes({ inspection: { batch_policy: policy } }) {
  if (policy.batch === 'static') {
    say(`warning: lanes run one after another, the graph takes no batch: ${policy.reason}`);
  }
}

/**
 * The model that a container names.
 *
 * @param {Options} options
 * @param {import('../core/container/layout.mjs').Preamble} preamble
 * @throws {IntegrityError} it is not in the folder
 */
export async function loadFor(options, { modelSha256, tokenizerSha256 }) {
  const modelDir = modelDirOf(options);
  const record = recordOf(modelDir);
  /** @type {{ file: string, hash: string }[]} */
  const found = [];
  for (const variant of record.variants) {
    const { file } = variant;
    const hash = variantSha256(record, variant) ?? (await readModelFiles(FOLDER, join(modelDir, file))).sha256;
    found.push({ file, hash });
  }
  const right = found.find(({ hash }) => hash === modelSha256);
  if (!right) {
    const there = found.map(({ file, hash }) => `${file} ${hash}`).join(', ');
    throw new IntegrityError(
      `the container was made with the model of SHA-256 ${modelSha256}; in ${modelDir} there is ${there}`,
      'name the folder of the right model with --model',
    );
  }
  // Whatever the manifest says of these two, the container's hashes are those that count.
  return loadModel(modelDir, right.file, settingsOf(options), {
    model: modelSha256,
    tokenizer: tokenizerSha256,
    config: record.sha256.get('config.json'),
  });
}

/** @param {Options} options */
export function modelDirOf({ model }) {
  return model === undefined ? defaultModelDir() : String(model);
}

/** @param {Options} options */
function settingsOf(options) {
  const provider = String(options.provider ?? DEFAULT_SETTINGS.provider);
  if (!Object.hasOwn(PROVIDERS, provider)) {
    throw new UsageError(`--provider is ${provider}`, `use one of ${Object.keys(PROVIDERS).join(', ')}`);
  }
  return {
    ...DEFAULT_SETTINGS,
    threads: positive(options, 'threads') ?? DEFAULT_SETTINGS.threads,
    provider,
    batch: positive(options, 'batch'),
  };
}
