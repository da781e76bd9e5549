/**
 * From a model folder to a model that predicts.
 *
 * Owns what must be true of a folder before anything of it is used. The bytes that are hashed are the bytes that are loaded.
 *
 * @module
 */

import { join } from 'node:path';
import { LlmzipError, ModelError, UsageError, VocabularyError } from '../core/errors.mjs';
import { MAX_LANES } from '../core/model/context.mjs';
import { RULES_VERSION, readExactness } from '../core/model/exactness.mjs';
import { readGraphFacts } from '../core/model/graph.mjs';
import { checkSha256 } from '../core/model/provenance.mjs';
import { SessionSource } from '../core/model/session.mjs';
import { readSignature } from '../core/model/signature.mjs';
import { alignTokenizer, tokenIds, wrapTokenizer } from '../core/model/tokenizer.mjs';
import { reason } from './data-stream.mjs';
import { fileSha256, readModelFile } from './files.mjs';
import { checkPlaces, readModelFiles } from './model-files.mjs';
import { Profile } from './profile.mjs';
import { CPU, checkProvider, checkTookPart, unusableProvider } from './providers.mjs';
import { libraryVersions, openSession, openTokenizer } from './transformers.mjs';

/** @typedef {import('../core/model/graph.mjs').TensorInfo} TensorInfo */
/** @typedef {import('../core/model/source.mjs').LanguageModel} LanguageModel */
/** @typedef {import('../core/model/tokenizer.mjs').Tokenizer} Tokenizer */
/** @typedef {import('./fingerprint.mjs').SessionOptions} SessionOptions */
/** @typedef {import('./transformers.mjs').OpenSession} OpenSession */

/**
 * The hashes that files must have; one that is not named is not checked.
 *
 * @typedef {{ model?: string | undefined, tokenizer?: string | undefined, config?: string | undefined }} ExpectedHashes
 */

/**
 * What a graph declares (PROTOCOL.md, `inspect`).
 *
 * @typedef {{ inputs: TensorInfo[], outputs: TensorInfo[], opset: Record<string, number>, ops: Record<string, number>,
 *   batch_policy: import('../core/model/signature.mjs').BatchPolicy, exactness: import('../core/model/exactness.mjs').Exactness,
 *   provider: string }} Inspection
 */

/**
 * A model from a folder.
 *
 * @typedef {LanguageModel & { modelPath: string, settings: SessionOptions, versions: import('./fingerprint.mjs').Versions,
 *   inspection: Inspection, dispose: () => Promise<void> }} LoadedModel
 */

/** The most threads that are started: more would only take memory. */
const MAX_THREADS = 1024;
/** @type {Readonly<SessionOptions>} */
export const DEFAULT_SETTINGS = Object.freeze({ threads: 1, provider: CPU, graphOptimization: 'all' });
const GRAPH_OPTIMIZATIONS = ['disabled', 'basic', 'extended', 'all'];
const TOKENIZER_FILE = 'tokenizer.json';
const CONFIG_FILE = 'config.json';
const MAX_FINGERPRINT = 32;

/**
 * @param {string} modelDir
 * @param {string} modelFile relative to it, with `/` between its parts
 * @param {SessionOptions} [settings]
 * @param {ExpectedHashes} [expected]
 * @returns {Promise<LoadedModel>}
 * @throws {LlmzipError} usage, setup, io, integrity, vocabulary, model, unsupported
 */
export async function loadModel(modelDir, modelFile, settings = DEFAULT_SETTINGS, expected = {}) {
  checkSettings(settings);
  checkModelFile(modelFile);
  const model = readModelFiles(join(modelDir, modelFile), expected.model);
  const tokenizerFile = readVerified(join(modelDir, TOKENIZER_FILE), expected.tokenizer);
  const configFile = readVerified(join(modelDir, CONFIG_FILE), expected.config);
  const config = parseObject(configFile.path, configFile.bytes);
  const facts = readGraphFacts(model.onnx);
  checkPlaces(facts);
  const tokenizer = await loadTokenizer(tokenizerFile.path, tokenizerFile.bytes);
  const session = await loadSession(model, modelFile, config, settings);
  try {
    const { inputs, outputs } = session;
    const signature = readSignature(inputs, outputs, config);
    const exactness = readExactness(facts.metadata, Object.keys(facts.ops));
    if (tokenizer.size > signature.vocabSize) {
      throw new VocabularyError(
        `the tokenizer's largest id is ${tokenizer.size - 1}, ${model.path} has a vocabulary of ${signature.vocabSize}`,
        'use the graph, the config.json and the tokenizer.json of one model',
      );
    }
    const source = new SessionSource(session, signature, exactness, settings.batch);
    if (settings.provider !== CPU) {
      await source.feed(Uint32Array.of(0), 1);
      checkTookPart(settings.provider, session.endProfile());
    }
    const versions = await libraryVersions();
    return {
      source,
      tokenizer,
      modelSha256: model.sha256,
      tokenizerSha256: tokenizerFile.sha256,
      // Where logits are exact, nothing but the graph decides them.
      fingerprint: exactness.exact
        ? `exact-${RULES_VERSION}`
        : `ort-${versions.runtime}/${process.arch}`.slice(0, MAX_FINGERPRINT),
      modelPath: model.path,
      settings,
      versions,
      inspection: {
        inputs,
        outputs,
        opset: facts.opset,
        ops: facts.ops,
        batch_policy: signature.batchPolicy,
        exactness,
        provider: settings.provider,
      },
      dispose: session.dispose,
    };
  } catch (error) {
    await session.dispose();
    throw error;
  }
}

/**
 * @param {string} path for messages
 * @param {Uint8Array} bytes of a tokenizer.json
 * @returns {Promise<Tokenizer>}
 * @throws {LlmzipError} model, setup
 */
export async function loadTokenizer(path, bytes) {
  const json = parseObject(path, bytes);
  try {
    const known = tokenIds(json);
    return wrapTokenizer(await openTokenizer(alignTokenizer(json)), known);
  } catch (cause) {
    if (cause instanceof LlmzipError) throw cause;
    throw new ModelError(
      `${path} is not a tokenizer: ${reason(cause)}`,
      'take the tokenizer.json that belongs to the model',
      cause,
    );
  }
}

/**
 * @param {import('./model-files.mjs').ModelFiles} model
 * @param {string} modelFile
 * @param {Record<string, unknown>} config
 * @param {SessionOptions} settings
 * @returns {Promise<OpenSession>}
 */
async function loadSession({ path, onnx, data }, modelFile, config, settings) {
  try {
    const profile = settings.provider === CPU ? undefined : new Profile();
    return await openSession(modelFile, onnx, data, config, settings, profile);
  } catch (cause) {
    if (cause instanceof LlmzipError) throw cause;
    if (settings.provider !== CPU) throw unusableProvider(settings.provider, cause);
    throw new ModelError(
      `ONNX Runtime cannot load ${path}: ${reason(cause)}`,
      'check that it is an ONNX model for this version of ONNX Runtime',
      cause,
    );
  }
}

/** @param {SessionOptions} settings */
function checkSettings({ threads, provider, graphOptimization, batch }) {
  if (!(threads >= 1 && threads <= MAX_THREADS)) {
    throw new UsageError(`${threads} threads are not 1 to ${MAX_THREADS}`, 'give as many as the machine has cores');
  }
  if (batch !== undefined && !(batch >= 1 && batch <= MAX_LANES)) {
    throw new UsageError(
      `a batch of ${batch} lanes is not 1 to ${MAX_LANES}`,
      'give the most lanes that are to be fed at once',
    );
  }
  checkProvider(provider);
  if (!GRAPH_OPTIMIZATIONS.includes(graphOptimization)) {
    throw new UsageError(
      `there is no graph optimization "${graphOptimization}"`,
      `use one of ${GRAPH_OPTIMIZATIONS.join(', ')}`,
    );
  }
}

/** @param {string} modelFile */
function checkModelFile(modelFile) {
  const isOutside = modelFile.includes('\\') || modelFile.split('/').some((part) => ['', '.', '..'].includes(part));
  if (isOutside || !modelFile.endsWith('.onnx')) {
    throw new UsageError(
      `the model file "${modelFile}" is no path of an .onnx file inside the model's folder`,
      'name it as the manifest does, such as onnx/model_q4f16.onnx',
    );
  }
}

/**
 * @param {string} path
 * @param {string | undefined} expected
 */
function readVerified(path, expected) {
  const bytes = readModelFile(path);
  const sha256 = fileSha256(bytes);
  if (expected !== undefined) checkSha256(path, sha256, expected);
  return { path, bytes, sha256 };
}

/**
 * @param {string} path
 * @param {Uint8Array} bytes
 * @returns {Record<string, unknown>}
 */
function parseObject(path, bytes) {
  let value;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ModelError(`${path} is not JSON: ${reason(cause)}`, 'get it again with the model', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ModelError(`${path} is not a JSON object`, 'get it again with the model');
  }
  return value;
}
