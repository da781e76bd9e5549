/**
 * What runs graphs and tokenizers in a browser: onnxruntime-web and transformers.js.
 *
 * Owns what `core`'s loader is given of them; opens no file and asks no server.
 *
 * @module
 */

import { AutoTokenizer, env, LogLevel } from '@huggingface/transformers';
import { reason, UnsupportedError } from '../core/errors.mjs';
import { openVerifiedTokenizer } from '../core/model/verified-files.mjs';

/** @typedef {import('../core/model/load.mjs').OpenSession} OpenSession */
/** @typedef {import('./open.mjs').WasmOptions} WasmOptions */

/**
 * One of onnxruntime-web's builds: what it is, how it opens a graph, and the name of its execution provider in the protocol.
 *
 * @typedef {object} Build
 * @property {Pick<typeof import('onnxruntime-web'), 'env'>} runtime
 * @property {(bytes: Uint8Array, options: WasmOptions) => Promise<OpenSession>} open
 * @property {string} provider
 */

/** The tokenizer's version. */
export const TOKENIZER_VERSION = env.version;

/**
 * The SHA-256 of a model's file, by the browser's own code. It is there in secure contexts alone: https, or this machine.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<string>} lower-case hex
 */
export async function systemSha256(bytes) {
  const digest = await crypto.subtle.digest('SHA-256', /** @type {Uint8Array<ArrayBuffer>} */ (bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * @param {Build} build
 * @returns {import('../core/model/load.mjs').Engine<OpenSession>}
 */
export function webEngine({ runtime, open, provider }) {
  /** @type {(name: string) => string} */
  const hint = (name) => `use the provider ${provider}, or another runner whose build has ${name}`;
  return {
    checkProvider: (name) => {
      if (name === provider) return;
      throw new UnsupportedError(
        `the execution provider ${name} is not in this build of ONNX Runtime; it has ${provider}`,
        hint(name),
      );
    },
    openSession: ({ onnx, data }, _file, _config, { threads, graphOptimization }) =>
      open(onnx, { threads, data, graphOptimization: /** @type {'all'} */ (graphOptimization) }),
    unusableProvider: (name, cause) =>
      new UnsupportedError(`the execution provider ${name} cannot be used here: ${reason(cause)}`, hint(name), cause),
    provePart: async (name, _session, source) => {
      await source.feed(Uint32Array.of(0), 1);
      source.reset(1);
      // The build makes a device when it gives nodes to the provider; it keeps no count of them.
      if (!(await runtime.env.webgpu?.device)) {
        throw new UnsupportedError(`ONNX Runtime made no device for the execution provider ${name}`, hint(name));
      }
    },
    openTokenizer: (json) => openVerifiedTokenizer({ AutoTokenizer, env, LogLevel }, json),
    versions: async () => ({ runtime: runtime.env.versions.web ?? 'unknown', tokenizer: TOKENIZER_VERSION }),
    place: (versions) => `ortweb-${versions.runtime}/${provider}`,
  };
}
