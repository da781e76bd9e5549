/**
 * The runner in a browser, seen from outside: requests go to a page, its answers come back.
 *
 * Owns the page's life: one for every model, so that what a model took is given back and threads are those that were asked for. Whatever
 * ends a page ends the request under way with an error. What a request means is the page's.
 *
 * @module
 */

import { readFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { InternalError, LlmzipError, UsageError } from '../core/errors.mjs';
import { loadOf } from '../core/runner/operations.mjs';
import { Parameters } from '../core/runner/parameters.mjs';
import { SYSTEM } from '../node/fingerprint.mjs';
import { bundle, RUNTIME_FILES, runtimeFile } from './bundle.mjs';
import { removeFolder, startChromium } from './chromium.mjs';
import { RequestFiles } from './files.mjs';
import { bodyOf, LoopbackServer, sendJson } from './server.mjs';

/** @typedef {import('../core/compressor/progress.mjs').Progress} Progress */
/** @typedef {import('./bundle.mjs').Build} Build */
/** @typedef {import('./server.mjs').Call} Call */

/**
 * A request that the page has not answered yet.
 *
 * @typedef {object} Pending
 * @property {{ id: number, op: string, params: unknown }} message
 * @property {RequestFiles} files
 * @property {Progress} progress
 * @property {(result: object) => void} resolve
 * @property {(error: LlmzipError) => void} reject
 */

const MAX_REPLY = 2 ** 27;
const MAX_PIECES = 2 ** 22;
const PAGE = '<!doctype html><meta charset="utf-8"><title>llmzip</title><script type="module" src="main.js"></script>';
const TYPES = Object.freeze({ html: 'text/html; charset=utf-8', js: 'text/javascript', wasm: 'application/wasm' });
const MEMORY_HINT = 'a page that wants more memory than there is ends like this; try a smaller model or fewer lanes';

export class Bridge {
  #build;
  #server;
  /** The page's scripts, once they are bundled. @type {Map<string, Uint8Array>} */
  #scripts = new Map();
  /** @type {Promise<import('playwright-core').BrowserContext> | undefined} */
  #browser;
  /** @type {import('playwright-core').Page | undefined} */
  #page;
  /** Why the page with the model is gone, if it is. @type {string | undefined} */
  #gone;
  #lastId = 0;
  /** @type {Pending | undefined} */
  #pending;
  /** The page that waits for work. @type {import('node:http').ServerResponse | undefined} */
  #waiting;

  /** @param {Build} build */
  constructor(build) {
    this.#build = build;
    this.#server = new LoopbackServer(this.#handlers());
  }

  /**
   * Answers one request.
   *
   * @param {string} op
   * @param {unknown} params
   * @param {Progress} progress
   * @returns {Promise<object>} the result
   * @throws {LlmzipError}
   */
  async run(op, params, progress) {
    if (op === 'load') {
      // What cannot be asked costs nobody the model that is there.
      loadOf(new Parameters(op, params, isAbsolute));
      await this.#openPage();
    } else if (this.#gone !== undefined) {
      throw new UsageError(`no model is loaded: ${this.#gone}`, 'send load again, and look at its answer');
    } else if (!this.#page) await this.#openPage();
    const files = new RequestFiles(params);
    try {
      return await new Promise((resolve, reject) => {
        const id = ++this.#lastId;
        this.#pending = { message: { id, op, params }, files, progress, resolve, reject };
        if (this.#gone !== undefined) this.#fail(this.#gone);
        this.#hand();
      });
    } finally {
      this.#pending = undefined;
      files.discard();
    }
  }

  /** Ends the browser, and removes what it made. */
  async close() {
    const context = await this.#browser?.catch(() => undefined);
    await context?.close().catch(() => {});
    removeFolder();
    this.#server.close();
  }

  async #openPage() {
    this.#browser ??= this.#start();
    const context = await this.#browser.catch((error) => {
      this.#browser = undefined;
      throw error;
    });
    await this.#page?.close().catch(() => {});
    this.#gone = undefined;
    this.#waiting = undefined;
    const page = await context.newPage();
    this.#page = page;
    const gone = (/** @type {string} */ why) => page === this.#page && this.#fail(why);
    page.on('crash', () => gone('the page crashed'));
    page.on('pageerror', (error) => gone(`the page failed: ${error.message}`));
    page.on('console', (message) => process.stderr.write(`page: ${message.text()}\n`));
    await page.goto(this.#server.url).catch((cause) => {
      throw new InternalError(`the page cannot be opened: ${cause instanceof Error ? cause.message : cause}`, cause);
    });
  }

  async #start() {
    const entry = (/** @type {string} */ name) => new URL(`./page/${name}.mjs`, import.meta.url);
    const entries = { 'main.js': entry('main'), 'worker.js': entry(`worker-${this.#build}`) };
    if (this.#scripts.size === 0) {
      this.#scripts = await bundle(entries, this.#build);
      await this.#server.start();
    }
    const context = await startChromium(this.#build);
    context.on('close', () => {
      this.#browser = undefined;
      this.#fail('the browser ended');
    });
    return context;
  }

  /** @param {string} why */
  #fail(why) {
    this.#gone = why;
    this.#pending?.reject(new LlmzipError('internal', why, MEMORY_HINT));
  }

  /** Hands the request to the page, when both are there. */
  #hand() {
    if (!this.#pending || !this.#waiting) return;
    sendJson(this.#waiting, this.#pending.message);
    this.#waiting = undefined;
  }

  /** @returns {Record<string, import('./server.mjs').Handler>} */
  #handlers() {
    const build = this.#build;
    const { mjs, wasm } = RUNTIME_FILES[build];
    const script = (/** @type {string} */ name) => this.#scripts.get(name) ?? '';
    return {
      'GET ': ({ response }) => send(response, TYPES.html, PAGE),
      'GET main.js': ({ response }) => send(response, TYPES.js, script('main.js')),
      'GET worker.js': ({ response }) => send(response, TYPES.js, script('worker.js')),
      [`GET ${mjs}`]: async ({ response }) => send(response, TYPES.js, await readFile(runtimeFile(mjs))),
      [`GET ${wasm}`]: async ({ response }) => send(response, TYPES.wasm, await readFile(runtimeFile(wasm))),
      'GET surroundings': async ({ response }) => sendJson(response, await this.#surroundings()),
      'POST next': ({ response }) => {
        this.#waiting = response;
        response.on('close', () => {
          if (this.#waiting === response) this.#waiting = undefined;
        });
        this.#hand();
      },
      'POST failed': async ({ request, response }) => {
        this.#fail(String(JSON.parse((await bodyOf(request, MAX_REPLY)).toString())));
        sendJson(response, null);
      },
      'POST progress': (call) =>
        this.#ofRequest(call, async ({ progress }) => {
          const { done, total } = JSON.parse((await bodyOf(call.request, MAX_PIECES)).toString());
          progress(done, total);
        }),
      'POST reply': (call) =>
        this.#ofRequest(call, async ({ resolve, reject }) => {
          const { result, error } = JSON.parse((await bodyOf(call.request, MAX_REPLY)).toString());
          if (result) resolve(result);
          else reject(errorOf(error));
        }),
      'GET file': ({ response, query }) => this.#current(query).files.send(query.get('path') ?? '', response),
      'POST outputs/open': (call) =>
        this.#ofRequest(call, async ({ files }) => {
          files.open(JSON.parse((await bodyOf(call.request, MAX_PIECES)).toString()));
        }),
      'POST outputs/write': (call) =>
        this.#ofRequest(call, async ({ files }) => files.write(await bodyOf(call.request, MAX_PIECES))),
      'POST outputs/commit': (call) => this.#ofRequest(call, async ({ files }) => files.commit()),
      'POST outputs/discard': (call) => this.#ofRequest(call, async ({ files }) => files.discard()),
    };
  }

  /** @returns {Promise<import('./page/worker.mjs').Surroundings>} */
  async #surroundings() {
    const version = (await this.#browser)?.browser()?.version();
    return {
      name: `browser-${this.#build}`,
      browser: `chromium ${version ?? 'of unknown version'}`,
      os: SYSTEM,
      windowsPaths: process.platform === 'win32',
      runtimeFiles: RUNTIME_FILES[this.#build],
    };
  }

  /**
   * Does what a page asks for on behalf of the request under way.
   *
   * @param {Call} call
   * @param {(pending: Pending) => Promise<void>} work
   */
  async #ofRequest({ response, query }, work) {
    await work(this.#current(query));
    sendJson(response, null);
  }

  /**
   * @param {URLSearchParams} query
   * @returns {Pending}
   * @throws {InternalError} the request is over
   */
  #current(query) {
    if (!this.#pending || query.get('request') !== String(this.#pending.message.id)) {
      throw new InternalError('the page speaks of a request that is over');
    }
    return this.#pending;
  }
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {string} type
 * @param {string | Uint8Array} body
 */
function send(response, type, body) {
  response.writeHead(200, { 'Content-Type': type }).end(body);
}

/** @param {{ code: import('../core/errors.mjs').ErrorCode, message: string, hint: string, detail?: string }} error */
function errorOf({ code, message, hint, detail }) {
  if (detail === undefined) return new LlmzipError(code, message, hint);
  return new LlmzipError(code, message, hint, Object.assign(new Error(message), { stack: detail }));
}
