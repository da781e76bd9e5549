/**
 * From a model folder to a model that predicts.
 *
 * Owns what must be true of a folder before anything of it is used. The bytes that are hashed are the bytes that are loaded. What reads files
 * and runs graphs is the host's.
 *
 * @module
 */

import { LlmzipError, ModelError, reason, UsageError, VocabularyError } from '../errors.mjs';
import { MAX_LANES } from './context.mjs';
import { RULES_VERSION, readExactness } from './exactness.mjs';
import { readGraphFacts } from './graph.mjs';
import { checkPlaces, readModelFiles } from './model-files.mjs';
import { checkSha256 } from './provenance.mjs';
import { SessionSource } from './session.mjs';
import { readSignature } from './signature.mjs';
import { alignTokenizer, tokenIds, wrapTokenizer } from './tokenizer.mjs';

/** @typedef {import('./graph.mjs').TensorInfo} TensorInfo */
/** @typedef {import('./model-files.mjs').ModelFiles} ModelFiles */
/** @typedef {import('./source.mjs').LanguageModel} LanguageModel */
/** @typedef {import('./tokenizer.mjs').PreTrainedTokenizer} PreTrainedTokenizer */
/** @typedef {import('./tokenizer.mjs').Tokenizer} Tokenizer */

/**
 * How a graph is run.
 *
 * @typedef {object} SessionOptions
 * @property {number} threads
 * @property {string} provider
 * @property {string} graphOptimization
 * @property {number | undefined} [batch] the most lanes that are fed at once; unless given, all where the graph allows it and
 *   their cache is small enough
 */

/**
 * The libraries that a session is made with.
 *
 * @typedef {{ runtime: string, tokenizer: string }} Versions
 */

/**
 * A session, what its graph declares, and its end.
 *
 * @typedef {import('./session.mjs').Session & { inputs: TensorInfo[], outputs: TensorInfo[], dispose: () => Promise<void> }} OpenSession
 */

/**
 * What runs graphs and tokenizers here. `provider` throws an `UnsupportedError` for an execution provider that is not here, `unusable` makes
 * one of what a session with it failed of, and `provePart` throws one where it ran nothing of the graph. `place` is what a container's
 * fingerprint says of where it was made.
 *
 * @template {OpenSession} S
 * @typedef {object} Engine
 * @property {(name: string) => void} checkProvider
 * @property {(model: ModelFiles, modelFile: string, config: Record<string, unknown>, settings: SessionOptions) => Promise<S>} openSession
 * @property {(name: string, cause: unknown) => LlmzipError} unusableProvider
 * @property {(provider: string, session: S, source: SessionSource) => Promise<void>} provePart
 * @property {(tokenizerJson: unknown) => Promise<PreTrainedTokenizer>} openTokenizer
 * @property {() => Promise<Versions>} versions
 * @property {(versions: Versions) => string} place
 */

/**
 * The hashes that files must have; one that is not named is not checked.
 *
 * @typedef {{ model?: string | undefined, tokenizer?: string | undefined, config?: string | undefined }} ExpectedHashes
 */

/**
 * What a graph declares (PROTOCOL.md, `inspect`).
 *
 * @typedef {{ inputs: TensorInfo[], outputs: TensorInfo[], opset: Record<string, number>, ops: Record<string, number>,
 *   batch_policy: import('./signature.mjs').BatchPolicy, exactness: import('./exactness.mjs').Exactness,
 *   provider: string }} Inspection
 */

/**
 * A model from a folder.
 *
 * @typedef {LanguageModel & { modelPath: string, settings: SessionOptions, versions: Versions,
 *   inspection: Inspection, dispose: () => Promise<void> }} LoadedModel
 */

/** The most threads that are started: more would only take memory. */
const MAX_THREADS = 1024;
/** The execution provider that every build has. */
export const CPU = 'cpu';
/** @type {Readonly<SessionOptions>} */
export const DEFAULT_SETTINGS = Object.freeze({ threads: 1, provider: CPU, graphOptimization: 'all' });
const GRAPH_OPTIMIZATIONS = ['disabled', 'basic', 'extended', 'all'];
const TOKENIZER_FILE = 'tokenizer.json';
const CONFIG_FILE = 'config.json';
const MAX_FINGERPRINT = 32;

/**
 * @template {OpenSession} S
 * @param {import('./model-files.mjs').ModelFolder} folder
 * @param {Engine<S>} engine
 * @param {string} modelDir
 * @param {string} modelFile relative to it, with `/` between its parts
 * @param {SessionOptions} settings
 * @param {ExpectedHashes} expected
 * @returns {Promise<LoadedModel>}
 * @throws {LlmzipError} usage, setup, io, integrity, vocabulary, model, unsupported
 */
export async function loadModelWith(folder, engine, modelDir, modelFile, settings, expected) {
  checkSettings(settings);
  engine.checkProvider(settings.provider);
  checkModelFile(modelFile);
  const model = await readModelFiles(folder, folder.join(modelDir, modelFile), expected.model);
  const tokenizerFile = await readVerified(folder, folder.join(modelDir, TOKENIZER_FILE), expected.tokenizer);
  const configFile = await readVerified(folder, folder.join(modelDir, CONFIG_FILE), expected.config);
  const config = parseObject(configFile.path, configFile.bytes);
  const facts = readGraphFacts(model.onnx);
  checkPlaces(facts);
  const tokenizer = await loadTokenizerWith(engine, tokenizerFile.path, tokenizerFile.bytes);
  const session = await loadSession(engine, model, modelFile, config, settings);
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
    if (settings.provider !== CPU) await engine.provePart(settings.provider, session, source);
    const versions = await engine.versions();
    return {
      source,
      tokenizer,
      modelSha256: model.sha256,
      tokenizerSha256: tokenizerFile.sha256,
      // Where logits are exact, nothing but the graph decides them.
      fingerprint: exactness.exact ? `exact-${RULES_VERSION}` : engine.place(versions).slice(0, MAX_FINGERPRINT),
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
 * @param {Pick<Engine<OpenSession>, 'openTokenizer'>} engine
 * @param {string} path for messages
 * @param {Uint8Array} bytes of a tokenizer.json
 * @returns {Promise<Tokenizer>}
 * @throws {LlmzipError} model, setup
 */
export async function loadTokenizerWith(engine, path, bytes) {
  const json = parseObject(path, bytes);
  try {
    const known = tokenIds(json);
    return wrapTokenizer(await engine.openTokenizer(alignTokenizer(json)), known);
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
 * @template {OpenSession} S
 * @param {Engine<S>} engine
 * @param {ModelFiles} model
 * @param {string} modelFile
 * @param {Record<string, unknown>} config
 * @param {SessionOptions} settings
 * @returns {Promise<S>}
 */
async function loadSession(engine, model, modelFile, config, settings) {
  try {
    return await engine.openSession(model, modelFile, config, settings);
  } catch (cause) {
    if (cause instanceof LlmzipError) throw cause;
    if (settings.provider !== CPU) throw engine.unusableProvider(settings.provider, cause);
    throw new ModelError(
      `ONNX Runtime cannot load ${model.path}: ${reason(cause)}`,
      'check that it is an ONNX model for this version of ONNX Runtime',
      cause,
    );
  }
}

/** @param {SessionOptions} settings */
function checkSettings({ threads, graphOptimization, batch }) {
  if (!(threads >= 1 && threads <= MAX_THREADS)) {
    throw new UsageError(`${threads} threads are not 1 to ${MAX_THREADS}`, 'give as many as the machine has cores');
  }
  if (batch !== undefined && !(batch >= 1 && batch <= MAX_LANES)) {
    throw new UsageError(
      `a batch of ${batch} lanes is not 1 to ${MAX_LANES}`,
      'give the most lanes that are to be fed at once',
    );
  }
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
 * @param {import('./model-files.mjs').ModelFolder} folder
 * @param {string} path
 * @param {string | undefined} expected
 */
async function readVerified(folder, path, expected) {
  const bytes = await folder.readModelFile(path);
  const sha256 = await folder.sha256(bytes);
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
