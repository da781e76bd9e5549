/**
 * The page in Chromium, served by the command, and driven as a person would.
 *
 * Owns the server's process, the browser, and what both must never do: ask another site, or break the page's own policy.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startChromium } from '../../src/browser/chromium.mjs';
import { withoutChromium } from './chromium.mjs';
import { withoutTiny } from './model-folder.mjs';
import { BIN } from './runner.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('playwright-core').BrowserContext} BrowserContext */

/** Where pictures and measurements go, for a person to look at. */
export const ARTEFACTS = fileURLToPath(new URL('../../../target/page/', import.meta.url));
// Longer than anything takes on a slow machine; only a hang is ended by it.
const PATIENCE_MILLISECONDS = 120_000;

/** Why there is no page to drive, or false. */
export const withoutPage = withoutTiny || withoutChromium;

/** Ends when nobody can wait for it any more. @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * The page's server as a process.
 *
 * @param {string[]} [args]
 */
export async function startServer(args = []) {
  const child = spawn(process.execPath, [BIN, 'serve', '--port', '0', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const exit = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    return code ?? signal;
  });
  const [url] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), exit.then(() => [])]);
  assert.ok(url, stderr);
  /** @param {NodeJS.Signals} [signal] */
  const stop = (signal = 'SIGTERM') => {
    child.kill(signal);
    return exit;
  };
  return { url: String(url), stop, stderr: () => stderr };
}

/** The browser with its pages, and what went wrong in them. */
export class Browser {
  /** @type {BrowserContext} */
  #context;
  #site;
  /** What no page may do. @type {string[]} */
  faults = [];

  /**
   * @param {BrowserContext} context
   * @param {string} site the only one that may be asked
   */
  constructor(context, site) {
    this.#context = context;
    this.#site = site;
    context.setDefaultTimeout(PATIENCE_MILLISECONDS);
    context.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(site) && !url.startsWith(`blob:${site}`)) this.faults.push(`asked ${url}`);
    });
  }

  /** @param {string} site */
  static async start(site) {
    return new Browser(await startChromium('wasm'), site);
  }

  async close() {
    // What the browser made is removed at the end of this process.
    await this.#context.close();
  }

  /**
   * A page with its model loaded.
   *
   * @param {{ withModel?: boolean }} [options]
   * @returns {Promise<Page>}
   */
  async open({ withModel = true } = {}) {
    const page = await this.#context.newPage();
    page.on('pageerror', (error) => this.faults.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.faults.push(message.text());
    });
    await page.goto(this.#site);
    if (withModel) await ready(page);
    return page;
  }
}

/** @param {Page} page */
export async function ready(page) {
  await page.locator('#model-story').waitFor();
}

/**
 * A file dropped on the page.
 *
 * @param {Page} page
 * @param {string} name
 * @param {Uint8Array} content
 */
export async function drop(page, name, content) {
  const data = await page.evaluateHandle(
    ({ name, base64 }) => {
      const transfer = new DataTransfer();
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      transfer.items.add(new File([bytes], name));
      return transfer;
    },
    { name, base64: Buffer.from(content).toString('base64') },
  );
  await page.dispatchEvent('#drop', 'drop', { dataTransfer: data });
  await page.locator('#chosen-name', { hasText: name }).waitFor();
}

/**
 * Presses a button and waits for what comes of it.
 *
 * @param {Page} page
 * @param {'Compress' | 'Decompress'} button
 * @returns {Promise<'result' | 'failure'>}
 */
export async function press(page, button) {
  await page.getByRole('button', { name: button, exact: true }).click();
  return ending(page);
}

/**
 * @param {Page} page
 * @returns {Promise<'result' | 'failure'>}
 */
export async function ending(page) {
  await page.locator('#result:not([hidden]), #failure:not([hidden])').waitFor();
  return (await page.locator('#result').isVisible()) ? 'result' : 'failure';
}

/**
 * What the page offers for download, by the link that a person would press.
 *
 * @param {Page} page
 * @param {() => Promise<void>} [start]
 */
export async function download(page, start = () => page.locator('#download a').click()) {
  const waiting = page.waitForEvent('download');
  await start();
  const got = await waiting;
  return { name: got.suggestedFilename(), bytes: readFileSync(await got.path()) };
}

/**
 * A picture of the whole page.
 *
 * @param {Page} page
 * @param {string} name
 */
export async function picture(page, name) {
  mkdirSync(ARTEFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTEFACTS, `${name}.png`), fullPage: true });
}
