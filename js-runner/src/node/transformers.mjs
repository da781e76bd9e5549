/**
 * transformers.js: tokenizers and sessions from bytes that are already verified.
 *
 * Owns the library's import and its sessions in onnxruntime-node; how it is pointed at the bytes is `core/model/verified-files`', what they
 * must be is the loader's.
 *
 * @module
 */

import { posix } from 'node:path';
import { reason, SetupError } from '../core/errors.mjs';
import { tensorInfo } from '../core/model/signature.mjs';
import { NAME, openVerifiedTokenizer, toBytes, withFiles } from '../core/model/verified-files.mjs';

/** @typedef {import('../core/model/tokenizer.mjs').PreTrainedTokenizer} PreTrainedTokenizer */
/** @typedef {import('./fingerprint.mjs').SessionOptions} SessionOptions */
/** @typedef {import('./profile.mjs').Profile} Profile */
/** @typedef {import('onnxruntime-common').InferenceSession} InferenceSession */
/** @typedef {import('onnxruntime-common').InferenceSession.FeedsType} Feeds */
/** @typedef {typeof import('@huggingface/transformers')} Library */

/**
 * A session in onnxruntime-node. `endProfile` gives how many nodes each provider ran since the session was made, by
 * the provider's name in ONNX Runtime; it is for sessions with a profile, and can be asked once.
 *
 * @typedef {import('../core/model/load.mjs').OpenSession & { endProfile: () => Map<string, number> }} OpenSession
 */

const LOG_ERRORS_ONLY = 3;

/**
 * @param {unknown} tokenizerJson a parsed tokenizer.json
 * @returns {Promise<PreTrainedTokenizer>}
 */
export async function openTokenizer(tokenizerJson) {
  return openVerifiedTokenizer(await importLibrary(), tokenizerJson);
}

/**
 * @param {string} modelFile with `/` between its parts
 * @param {Uint8Array} modelBytes
 * @param {ReadonlyMap<string, Uint8Array>} data the files of weights, by their names
 * @param {Record<string, unknown>} config a parsed config.json
 * @param {SessionOptions} settings
 * @param {Profile} [profile] kept of the session; needed where it does not run on the CPU alone
 * @returns {Promise<OpenSession>}
 */
export async function openSession(modelFile, modelBytes, data, config, settings, profile) {
  const library = await importLibrary();
  const files = {
    // The graph decides how it is run, not the hints in the config.
    'config.json': toBytes({ ...config, 'transformers.js_config': {} }),
    'generation_config.json': toBytes({}),
    [modelFile]: modelBytes,
  };
  const { dir, name } = posix.parse(modelFile);
  const model = await withFiles(library, files, () =>
    library.AutoModelForCausalLM.from_pretrained(NAME, {
      subfolder: dir,
      model_file_name: name,
      // The file name is already whole; types are read from the graph.
      dtype: 'fp32',
      device: /** @type {'cpu'} */ (settings.provider),
      // Nor are files of weights looked for: the runtime takes these bytes under these names.
      use_external_data_format: false,
      session_options: {
        intraOpNumThreads: settings.threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: /** @type {'all'} */ (settings.graphOptimization),
        logSeverityLevel: LOG_ERRORS_ONLY,
        ...profile?.options,
        ...(data.size > 0 && { externalData: Array.from(data, ([path, bytes]) => ({ path, data: bytes })) }),
        // Several runners share the machine: a thread that waits must not spin.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      },
    }),
  ).catch((cause) => {
    profile?.dispose();
    throw cause;
  });
  const session = /** @type {InferenceSession} */ (model.sessions.model);
  return {
    run: (/** @type {Feeds} */ feeds) => session.run(withFloat16Bits(feeds)),
    inputs: session.inputMetadata.map(tensorInfo),
    outputs: session.outputMetadata.map(tensorInfo),
    endProfile: () => profile?.end(session) ?? new Map(),
    dispose: async () => {
      profile?.dispose();
      await model.dispose();
    },
  };
}

/**
 * The versions of the libraries that tokenizers and sessions are made with.
 *
 * @returns {Promise<import('./fingerprint.mjs').Versions>}
 */
export async function libraryVersions() {
  const { env } = await importLibrary();
  const runtime = env.backends.onnx.versions?.node;
  if (runtime === undefined) {
    throw new SetupError('transformers.js does not use onnxruntime-node here', 'run npm ci in js-runner');
  }
  return { runtime, tokenizer: env.version };
}

/** @returns {Promise<Library>} */
async function importLibrary() {
  try {
    return await import('@huggingface/transformers');
  } catch (cause) {
    throw new SetupError(`transformers.js cannot be loaded: ${reason(cause)}`, 'run npm ci in js-runner', cause);
  }
}

/**
 * onnxruntime-node takes 16-bit floats as their bits only, also where JavaScript has an array for them.
 *
 * @param {Feeds} feeds
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
