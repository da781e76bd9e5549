/**
 * A server on this machine, for this machine: a runner's page under an address that nobody can guess, or a page for people.
 *
 * Owns addresses, headers, and the limits of what is read; what an address means is its handler's.
 *
 * @module
 */

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { asLlmzipError, IoError, reason } from '../core/errors.mjs';

/** @typedef {import('node:http').IncomingMessage} IncomingMessage */
/** @typedef {import('node:http').ServerResponse} ServerResponse */
/** @typedef {{ request: IncomingMessage, response: ServerResponse, query: URLSearchParams }} Call */
/** @typedef {(call: Call) => void | Promise<void>} Handler */

const HOST = '127.0.0.1';
const OTHER_NAME = 'localhost';
const HTTP_PORT = 80;
/** What a page may do; that it is framed by none, only a header can say. */
export const POLICY = Object.freeze([
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
]);
const HEADERS = {
  // Together they make the page cross-origin isolated, which threads of WebAssembly need.
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': [...POLICY, "frame-ancestors 'none'"].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
};

export class LoopbackServer {
  #server;
  #prefix;
  /** The names under which this address is asked. @type {string[]} */
  #hosts = [];

  /**
   * @param {Readonly<Record<string, Handler>>} handlers by method and the path behind the prefix, such as `GET worker.js`; HEAD is answered by
   *   that of GET, whose body Node then leaves out
   * @param {string} [prefix] of every path; one that nobody can guess unless given
   */
  constructor(handlers, prefix = `/${randomBytes(16).toString('hex')}/`) {
    this.#prefix = prefix;
    this.#server = createServer((request, response) => {
      this.#answer(handlers, request, response).catch(() => response.destroy());
    });
    // A request that waits for work waits as long as there is none.
    this.#server.requestTimeout = 0;
  }

  /**
   * @param {number} [port] any that is free unless given
   * @returns {Promise<void>}
   * @throws {IoError} nothing can be answered there
   */
  start(port = 0) {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const where = `${HOST}:${port}`;
        reject(
          new IoError(`cannot listen on ${where}: ${reason(cause)}`, 'give another port; 0 is any that is free', cause),
        );
      });
      this.#server.listen(port, HOST, () => {
        const { port: taken } = /** @type {import('node:net').AddressInfo} */ (this.#server.address());
        this.#hosts = hostsOf(taken);
        resolve();
      });
    });
  }

  /** The page's address. */
  get url() {
    return `http://${this.#hosts[0]}${this.#prefix}`;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /**
   * @param {Readonly<Record<string, Handler>>} handlers
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  async #answer(handlers, request, response) {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const target = request.url ?? '/';
    if (!URL.canParse(target, 'http://page')) {
      response.writeHead(400).end();
      return;
    }
    const { pathname, searchParams } = new URL(target, 'http://page');
    // Any other name for this address is another site, which must not get in by it.
    const isOurs = this.#hosts.includes(request.headers.host ?? '') && pathname.startsWith(this.#prefix);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const name = `${method} ${pathname.slice(this.#prefix.length)}`;
    if (!isOurs || !Object.hasOwn(handlers, name)) {
      response.writeHead(404).end();
      return;
    }
    try {
      await handlers[name]({ request, response, query: searchParams });
    } catch (thrown) {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      // What the handler said is of what it would have sent.
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
      const { code, message, hint } = asLlmzipError(thrown);
      sendJson(response, { code, message, hint }, 422);
    }
  }
}

/**
 * The names under which a client asks this machine at that port; it leaves out the port of HTTP.
 *
 * @param {number} port
 * @returns {string[]}
 */
export function hostsOf(port) {
  const names = [HOST, OTHER_NAME];
  return [...names.map((name) => `${name}:${port}`), ...(port === HTTP_PORT ? names : [])];
}

/**
 * @param {ServerResponse} response
 * @param {unknown} value
 * @param {number} [status]
 */
export function sendJson(response, value, status = 200) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

/**
 * What a page sent.
 *
 * @param {IncomingMessage} request
 * @param {number} most bytes
 * @returns {Promise<Buffer>}
 */
export async function bodyOf(request, most) {
  /** @type {Buffer[]} */
  const pieces = [];
  let length = 0;
  for await (const piece of request) {
    length += piece.length;
    if (length > most) throw new Error(`the page sent more than ${most} bytes at once`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
