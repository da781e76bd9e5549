/**
 * transformers.js on bytes that are already verified: its cache answers with them and with nothing else, and it never looks for a file
 * itself, here or elsewhere.
 *
 * Owns how the library is pointed at these bytes; the library is given, and what the bytes must be is `load`'s.
 *
 * @module
 */

/** @typedef {import('./tokenizer.mjs').PreTrainedTokenizer} PreTrainedTokenizer */

/**
 * What is used of transformers.js, which is the caller's to import.
 *
 * @typedef {object} Library
 * @property {Environment} env
 * @property {{ ERROR: number }} LogLevel
 * @property {{ from_pretrained: (name: string) => Promise<any> }} AutoTokenizer
 */

/**
 * @typedef {object} Environment
 * @property {number} logLevel
 * @property {boolean} allowRemoteModels
 * @property {boolean} allowLocalModels
 * @property {string} localModelPath
 * @property {string} remoteHost
 * @property {string} remotePathTemplate
 * @property {boolean} useFS
 * @property {boolean} useFSCache
 * @property {boolean} useBrowserCache
 * @property {boolean} useCustomCache
 * @property {any} customCache
 */

// The name under which transformers.js asks for the files of the one model that it is loading.
const FOLDER = '/verified/';
export const NAME = 'model';
// Made here, since a function made beside the files would keep them in memory.
const NOTHING_HELD = { match: async () => undefined, put: async () => {} };

/**
 * @param {Library} library
 * @param {unknown} tokenizerJson a parsed tokenizer.json
 * @returns {Promise<PreTrainedTokenizer>}
 */
export async function openVerifiedTokenizer(library, tokenizerJson) {
  const files = {
    'tokenizer.json': toBytes(tokenizerJson),
    // The hashed file decides alone, not a second one beside it.
    'tokenizer_config.json': toBytes({ tokenizer_class: 'PreTrainedTokenizer' }),
  };
  return withFiles(library, files, () => library.AutoTokenizer.from_pretrained(NAME));
}

/**
 * Does a piece of work while transformers.js finds these files, and nothing else. They are not kept afterwards.
 *
 * @template T
 * @param {Pick<Library, 'env' | 'LogLevel'>} library
 * @param {Record<string, Uint8Array>} files
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withFiles({ env, LogLevel }, files, work) {
  env.logLevel = LogLevel.ERROR;
  env.allowRemoteModels = false;
  // In browsers it is not so unless said.
  env.allowLocalModels = true;
  env.localModelPath = FOLDER;
  // What would be the address of a file is its local path too, so that the cache is asked by one name only.
  env.remoteHost = FOLDER;
  env.remotePathTemplate = '{model}';
  env.useFS = false;
  env.useFSCache = false;
  env.useBrowserCache = false;
  env.useCustomCache = true;
  env.customCache = {
    match: async (/** @type {unknown} */ request) => {
      const bytes = files[String(request).slice(`${FOLDER}${NAME}/`.length)];
      return bytes && new HeldResponse(bytes);
    },
    put: async () => {},
  };
  try {
    return await work();
  } finally {
    env.customCache = NOTHING_HELD;
  }
}

/** An answer whose bytes are handed on as they are: the platform's own would copy a model twice. */
class HeldResponse extends Response {
  #bytes;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    super();
    this.#bytes = bytes;
  }

  /** @override */
  async arrayBuffer() {
    const { buffer, byteLength } = this.#bytes;
    const isWhole = buffer.byteLength === byteLength;
    return /** @type {ArrayBuffer} */ (isWhole ? buffer : new Uint8Array(this.#bytes).buffer);
  }
}

/** @param {unknown} value */
export function toBytes(value) {
  return new TextEncoder().encode(JSON.stringify(value));
}
