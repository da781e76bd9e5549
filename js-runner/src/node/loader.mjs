/**
 * From a model folder to a model that predicts, by transformers.js.
 *
 * Owns what must be true of a folder before anything of it is used. transformers.js gets the bytes that were hashed and never looks
 * for a file itself, here or elsewhere: its cache answers with them, and with nothing else.
 *
 * @module
 */

import { isAbsolute, join, posix } from 'node:path';
import { ModelError, SetupError, UnsupportedError, UsageError, VocabularyError } from '../core/errors.mjs';
import { readGraphContent } from '../core/model/graph.mjs';
import { sha256Hex, verifySha256 } from '../core/model/provenance.mjs';
import { SessionSource } from '../core/model/session.mjs';
import { readSignature } from '../core/model/signature.mjs';
import { alignTokenizer, tokenizerSize, wrapTokenizer } from '../core/model/tokenizer.mjs';
import { reason } from './data-stream.mjs';
import { readModelFile } from './files.mjs';

/** @typedef {import('../core/model/graph.mjs').TensorInfo} TensorInfo */
/** @typedef {import('../core/model/source.mjs').LanguageModel} LanguageModel */
/** @typedef {import('./fingerprint.mjs').SessionSettings} SessionSettings */

/**
 * The hashes that files must have; one that is not named is not checked.
 *
 * @typedef {{ model?: string | undefined, tokenizer?: string | undefined, config?: string | undefined }} ExpectedHashes
 */

/**
 * What a graph declares (PROTOCOL.md, `inspect`).
 *
 * @typedef {import('../core/model/graph.mjs').GraphContent & { inputs: TensorInfo[], outputs: TensorInfo[],
 *   batch_policy: import('../core/model/signature.mjs').BatchPolicy, provider: string }} Inspection
 */

/**
 * A model from a folder.
 *
 * @typedef {LanguageModel & { modelPath: string, settings: SessionSettings, versions: import('./fingerprint.mjs').Versions,
 *   inspection: Inspection, dispose: () => Promise<void> }} LoadedModel
 */

/** @typedef {typeof import('@huggingface/transformers')} Library */

/** @type {Readonly<SessionSettings>} */
export const DEFAULT_SETTINGS = Object.freeze({ threads: 1, provider: 'cpu', graphOptimization: 'all' });
const PROVIDERS = ['cpu'];
const GRAPH_OPTIMIZATIONS = ['disabled', 'basic', 'extended', 'all'];
const LOG_ERRORS_ONLY = 3;
// The name under which transformers.js asks for the files of the one model that it is loading.
const FOLDER = '/verified/';
const NAME = 'model';

/**
 * @param {string} modelDir
 * @param {string} modelFile relative to it
 * @param {SessionSettings} [settings]
 * @param {ExpectedHashes} [expected]
 * @returns {Promise<LoadedModel>}
 * @throws {import('../core/errors.mjs').LlmzipError} usage, setup, io, integrity, vocabulary, model, unsupported
 */
export async function loadModel(modelDir, modelFile, settings = DEFAULT_SETTINGS, expected = {}) {
  checkSettings(settings);
  const { folder, stem } = splitModelFile(modelFile);
  const modelPath = join(modelDir, modelFile);
  const modelBytes = readModelFile(modelPath);
  const modelSha256 = verify(modelPath, modelBytes, expected.model);
  const tokenizerPath = join(modelDir, 'tokenizer.json');
  const tokenizerBytes = readModelFile(tokenizerPath);
  const tokenizerSha256 = verify(tokenizerPath, tokenizerBytes, expected.tokenizer);
  const configPath = join(modelDir, 'config.json');
  const configBytes = readModelFile(configPath);
  verify(configPath, configBytes, expected.config);
  const config = parseObject(configPath, configBytes);
  const tokenizer = await loadTokenizer(tokenizerPath, tokenizerBytes);
  const library = await importLibrary();
  const { session, dispose } = await withFiles(
    library,
    // Only the graph decides how it is run, not the hints in the config.
    {
      'config.json': toBytes({ ...config, 'transformers.js_config': {} }),
      'generation_config.json': toBytes({}),
      [modelFile]: modelBytes,
    },
    () => makeSession(library, modelPath, folder, stem, settings),
  );
  try {
    const inputs = session.inputMetadata.map(declaration);
    const outputs = session.outputMetadata.map(declaration);
    const signature = readSignature(inputs, outputs, config);
    if (tokenizer.size > signature.vocabSize) {
      throw new VocabularyError(
        `the tokenizer's largest id is ${tokenizer.size - 1}, ${modelPath} has a vocabulary of ${signature.vocabSize}`,
        'use the graph, the config.json and the tokenizer.json of one model',
      );
    }
    const content = readGraphContent(modelBytes);
    const versions = { runtime: runtimeVersion(library), tokenizer: library.env.version };
    return {
      source: new SessionSource({ run: (feeds) => session.run(withFloat16Bits(feeds)) }, signature),
      tokenizer,
      modelSha256,
      tokenizerSha256,
      fingerprint: `ort-${versions.runtime}/${process.arch}`.slice(0, 32),
      modelPath,
      settings,
      versions,
      inspection: {
        inputs,
        outputs,
        ...content,
        batch_policy: signature.batchPolicy,
        provider: settings.provider,
      },
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/**
 * @param {string} path for messages
 * @param {Uint8Array} bytes of a tokenizer.json
 * @returns {Promise<import('../core/model/tokenizer.mjs').Tokenizer>}
 * @throws {import('../core/errors.mjs').LlmzipError} vocabulary, setup
 */
export async function loadTokenizer(path, bytes) {
  const json = parseObject(path, bytes);
  const size = tokenizerSize(json);
  const library = await importLibrary();
  const files = {
    'tokenizer.json': toBytes(alignTokenizer(json)),
    // The hashed file decides alone, not a second one beside it.
    'tokenizer_config.json': toBytes({ tokenizer_class: 'PreTrainedTokenizer' }),
  };
  try {
    return await withFiles(library, files, async () =>
      wrapTokenizer(await library.AutoTokenizer.from_pretrained(NAME), size),
    );
  } catch (cause) {
    throw new VocabularyError(
      `${path} is not a tokenizer: ${reason(cause)}`,
      'get the tokenizer that belongs to the model',
    );
  }
}

async function importLibrary() {
  try {
    return await import('@huggingface/transformers');
  } catch (cause) {
    throw new SetupError(`transformers.js cannot be loaded: ${reason(cause)}`, 'run npm ci in js-runner', cause);
  }
}

/** @param {SessionSettings} settings */
function checkSettings({ provider, graphOptimization }) {
  if (!PROVIDERS.includes(provider)) {
    throw new UnsupportedError(`there is no provider "${provider}" here`, `use one of ${PROVIDERS.join(', ')}`);
  }
  if (!GRAPH_OPTIMIZATIONS.includes(graphOptimization)) {
    throw new UnsupportedError(
      `there is no graph optimization "${graphOptimization}"`,
      `use one of ${GRAPH_OPTIMIZATIONS.join(', ')}`,
    );
  }
}

/**
 * A model file as transformers.js names it: its folder, and its name without `.onnx`.
 *
 * @param {string} modelFile
 */
function splitModelFile(modelFile) {
  const { dir, name, ext } = posix.parse(modelFile);
  if (isAbsolute(modelFile) || modelFile.split(/[\\/]/).includes('..') || ext !== '.onnx') {
    throw new UsageError(
      `the model file "${modelFile}" is no path of an .onnx file inside the model's folder`,
      'name it as the manifest does, such as onnx/model_q4f16.onnx',
    );
  }
  return { folder: dir, stem: name };
}

/**
 * @param {string} path
 * @param {Uint8Array} bytes
 * @param {string | undefined} expected
 */
function verify(path, bytes, expected) {
  return expected === undefined ? sha256Hex(bytes) : verifySha256(path, bytes, expected);
}

/**
 * @param {string} path
 * @param {Uint8Array} bytes
 * @returns {Record<string, any>}
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

/** @param {unknown} value */
function toBytes(value) {
  return new TextEncoder().encode(JSON.stringify(value));
}

/**
 * Does a piece of work while transformers.js finds these files, and nothing else. They are not kept afterwards.
 *
 * @template T
 * @param {Library} library
 * @param {Record<string, Uint8Array>} files
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withFiles({ env, LogLevel }, files, work) {
  env.logLevel = LogLevel.ERROR;
  env.allowRemoteModels = false;
  env.localModelPath = FOLDER;
  // What would be the address of a file is its local path too, so that the cache is asked by one name only.
  env.remoteHost = FOLDER;
  env.remotePathTemplate = '{model}';
  env.useFS = false;
  env.useFSCache = false;
  env.useBrowserCache = false;
  env.useCustomCache = true;
  env.customCache = {
    match: async (request) => {
      const bytes = files[String(request).slice(`${FOLDER}${NAME}/`.length)];
      return bytes && new Response(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
    },
    put: async () => {},
  };
  try {
    return await work();
  } finally {
    env.customCache = { match: async () => undefined, put: async () => {} };
  }
}

/**
 * @param {Library} library
 * @param {string} modelPath
 * @param {string} folder
 * @param {string} stem
 * @param {SessionSettings} settings
 */
async function makeSession({ AutoModelForCausalLM }, modelPath, folder, stem, settings) {
  try {
    const model = await AutoModelForCausalLM.from_pretrained(NAME, {
      subfolder: folder,
      model_file_name: stem,
      // The file name is already whole; types are read from the graph.
      dtype: 'fp32',
      device: 'cpu',
      use_external_data_format: false,
      session_options: {
        intraOpNumThreads: settings.threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: /** @type {'all'} */ (settings.graphOptimization),
        logSeverityLevel: LOG_ERRORS_ONLY,
        // Several runners share the machine: a thread that waits must not spin.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      },
    });
    const session = /** @type {import('onnxruntime-common').InferenceSession} */ (model.sessions.model);
    return { session, dispose: async () => void (await model.dispose()) };
  } catch (cause) {
    throw new ModelError(
      `ONNX Runtime cannot load ${modelPath}: ${reason(cause)}`,
      'check that it is an ONNX model; weights in a file beside it are not supported, as its SHA-256 would not cover them',
      cause,
    );
  }
}

/**
 * onnxruntime-node takes 16-bit floats as their bits only, also where JavaScript has an array for them.
 *
 * @param {import('onnxruntime-common').InferenceSession.FeedsType} feeds
 */
function withFloat16Bits(feeds) {
  for (const tensor of Object.values(feeds)) {
    const { data } = tensor;
    if (tensor.type !== 'float16' || data instanceof Uint16Array) continue;
    const { buffer, byteOffset, length } = /** @type {Uint16Array} */ (/** @type {unknown} */ (data));
    // Its constructor would make such an array of the bits again.
    Object.assign(tensor, { cpuData: new Uint16Array(buffer, byteOffset, length) });
  }
  return feeds;
}

/**
 * @param {import('onnxruntime-common').InferenceSession.ValueMetadata} metadata
 * @returns {TensorInfo}
 */
function declaration(metadata) {
  if (!metadata.isTensor) throw new ModelError(`"${metadata.name}" is no tensor`, 'export the model as a decoder');
  return { name: metadata.name, type: metadata.type, shape: [...metadata.shape] };
}

/** @param {Library} library */
function runtimeVersion({ env }) {
  const version = env.backends.onnx.versions?.node;
  if (version === undefined)
    throw new SetupError('onnxruntime-node is not what transformers.js uses here', 'run npm ci in js-runner');
  return version;
}
