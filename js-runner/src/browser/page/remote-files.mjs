/**
 * The files of the bridge's machine, seen from the page: read as streams, written in bounded pieces.
 *
 * Owns the page's end of the bridge's addresses for files (`src/browser/files.mjs` is the other); knows no operations.
 *
 * @module
 */

import { IoError, LlmzipError, reason } from '../../core/errors.mjs';

/** @typedef {import('../../core/runner/operations.mjs').Output} Output */

/** The most bytes of rows and streams that are sent at once. */
const PIECE_BYTES = 2 ** 20;
/** Of a piece's head: which file, how many bytes, and their place as a binary64. */
const HEAD_BYTES = 16;
const JSON_TYPE = { 'Content-Type': 'application/json' };

/**
 * @typedef {object} Connection
 * @property {URL} base the bridge's address for this page
 * @property {number} request the id of the request under way, of which the bridge allows the files
 */

/**
 * Asks the bridge; its errors become errors here.
 *
 * @param {Connection} connection
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function call({ base, request }, path, init = {}) {
  const url = new URL(path, base);
  url.searchParams.set('request', String(request));
  let response;
  try {
    response = await fetch(url, { cache: 'no-store', ...init });
  } catch (cause) {
    throw new IoError(`the bridge does not answer: ${reason(cause)}`, 'see what the runner says on stderr', cause);
  }
  if (response.ok) return response;
  const { code, message, hint } = await response.json();
  throw new LlmzipError(code, message, hint);
}

/**
 * @param {Connection} connection
 * @param {string} path
 * @param {unknown} value
 */
export async function post(connection, path, value) {
  return call(connection, path, { method: 'POST', body: JSON.stringify(value), headers: JSON_TYPE });
}

/**
 * @param {Connection} connection
 * @param {string} path
 * @returns {AsyncGenerator<Uint8Array>}
 */
export async function* readRemote(connection, path) {
  yield* bodyOf(await call(connection, `file?path=${encodeURIComponent(path)}`), path);
}

/**
 * A file as a whole.
 *
 * @param {Connection} connection
 * @param {string} path
 * @returns {Promise<Uint8Array>}
 */
export async function readWhole(connection, path) {
  const response = await call(connection, `file?path=${encodeURIComponent(path)}`);
  const bytes = new Uint8Array(Number(response.headers.get('Content-Length')));
  let end = 0;
  for await (const piece of bodyOf(response, path)) {
    bytes.set(piece, end);
    end += piece.length;
  }
  if (end !== bytes.length) throw cutShort(path);
  return bytes;
}

/**
 * @param {Response} response
 * @param {string} path
 * @returns {AsyncGenerator<Uint8Array>}
 */
async function* bodyOf({ body }, path) {
  const reader = body?.getReader();
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) return;
      yield/** @type {Uint8Array} */ (value);
    }
  } catch (cause) {
    throw cutShort(path, cause);
  } finally {
    await reader?.cancel().catch(() => {});
  }
}

/**
 * @param {string} path
 * @param {unknown} [cause]
 */
function cutShort(path, cause) {
  return new IoError(`cannot read ${path}: it ended early`, 'check that nothing changes it meanwhile', cause);
}

/**
 * Opens files for a piece of work: they take their names when it succeeds, and none is left when it fails.
 *
 * @template T
 * @param {Connection} connection
 * @param {string[]} paths
 * @param {(files: Output[]) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withRemoteOutputs(connection, paths, work) {
  await post(connection, 'outputs/open', paths);
  try {
    const pieces = new Pieces(connection);
    const result = await work(paths.map((_, index) => pieces.output(index)));
    await pieces.flush();
    await post(connection, 'outputs/commit', null);
    return result;
  } catch (error) {
    await post(connection, 'outputs/discard', null).catch(() => {});
    throw error;
  }
}

/** Gathers what is written until it is worth sending. */
class Pieces {
  #connection;
  #buffer = new Uint8Array(PIECE_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #used = 0;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /**
   * @param {number} index of the file among those that were opened
   * @returns {Output}
   */
  output(index) {
    let end = 0;
    return {
      write: async (bytes) => {
        const start = end;
        end += bytes.length;
        await this.#add(index, bytes, start);
      },
      writeAt: (bytes, offset) => this.#add(index, bytes, offset),
    };
  }

  async flush() {
    if (this.#used === 0) return;
    const body = this.#buffer.slice(0, this.#used);
    this.#used = 0;
    await call(this.#connection, 'outputs/write', { method: 'POST', body });
  }

  /**
   * @param {number} index
   * @param {Uint8Array} bytes
   * @param {number} offset
   */
  async #add(index, bytes, offset) {
    for (let start = 0; start < bytes.length; ) {
      if (this.#used + HEAD_BYTES >= PIECE_BYTES) await this.flush();
      const part = bytes.subarray(start, start + PIECE_BYTES - this.#used - HEAD_BYTES);
      this.#view.setUint32(this.#used, index, true);
      this.#view.setUint32(this.#used + 4, part.length, true);
      this.#view.setFloat64(this.#used + 8, offset + start, true);
      this.#buffer.set(part, this.#used + HEAD_BYTES);
      this.#used += HEAD_BYTES + part.length;
      start += part.length;
    }
  }
}
