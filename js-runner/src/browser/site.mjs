/**
 * The page and its models as the files of a web site, which any server can have.
 *
 * Owns what the site is made of, and the addresses: what never changes has its hash in its address, and is kept for ever; the rest is asked
 * for again each time.
 *
 * @module
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle, RUNTIME_FILES, runtimeFile } from './bundle.mjs';
import { POLICY } from './server.mjs';

/** @typedef {import('../../web/worker/catalogue.mjs').Catalogue} Catalogue */

/**
 * A file of the site: bytes, or the path of a file that is sent piece by piece.
 *
 * @typedef {{ type: string, forEver: boolean, content: Uint8Array | string }} SiteFile
 */

const WEB = new URL('../../web/', import.meta.url);
const TYPES = Object.freeze({
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  mjs: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
  wasm: 'application/wasm',
  json: 'application/json',
});
const OCTETS = 'application/octet-stream';
const SHOWN_HASH = 16;

export const INDEX = 'index.html';

/**
 * The site of a model.
 *
 * @param {string} modelDir
 * @param {Catalogue} catalogue of that folder
 * @returns {Promise<Map<string, SiteFile>>} by their paths
 * @throws {import('../core/errors.mjs').SetupError} the bundler is not there, or a package is missing
 */
export async function buildSite(modelDir, catalogue) {
  const entry = (/** @type {string} */ path) => new URL(path, WEB);
  const entries = { 'main.js': entry('page/main.mjs'), 'worker.js': entry('worker/worker.mjs') };
  const scripts = await bundle(entries, 'wasm', { minify: true });
  /** @type {Map<string, SiteFile>} */
  const site = new Map();
  /** Adds what never changes; gives its address. @type {(name: string, content: Uint8Array) => string} */
  const addAsset = (name, content) => {
    const dot = name.lastIndexOf('.');
    const path = `assets/${name.slice(0, dot)}-${sha256(content).slice(0, SHOWN_HASH)}${name.slice(dot)}`;
    site.set(path, { type: typeOf(name), forEver: true, content });
    return path;
  };
  const { mjs, wasm } = RUNTIME_FILES.wasm;
  const names = {
    // A server that knows nothing of the page sends no header.
    policy: POLICY.join('; '),
    main: addAsset('main.js', /** @type {Uint8Array} */ (scripts.get('main.js'))),
    worker: addAsset('worker.js', /** @type {Uint8Array} */ (scripts.get('worker.js'))),
    'runtime-mjs': addAsset(mjs, readFileSync(runtimeFile(mjs))),
    'runtime-wasm': addAsset(wasm, readFileSync(runtimeFile(wasm))),
    style: addAsset('style.css', readFileSync(entry('style.css'))),
    icon: addAsset('icon.svg', readFileSync(entry('icon.svg'))),
  };
  const assets = Array.from(site.keys());
  const pages = {
    [INDEX]: new TextEncoder().encode(filledIn(readFileSync(entry(INDEX), 'utf8'), names)),
    'catalogue.json': new TextEncoder().encode(JSON.stringify(catalogue)),
  };
  const paths = Object.keys(pages);
  const version = sha256(new TextEncoder().encode([...assets, ...Object.values(pages).map(sha256)].join('\n')));
  const offline = JSON.stringify({ version: version.slice(0, SHOWN_HASH), assets, pages: paths });
  const starter = `import { start } from './web/service-worker.mjs'; start(${offline});`;
  const serviceWorker = await bundle({ 'service-worker.js': starter }, 'wasm', { minify: true });
  for (const [path, content] of [...Object.entries(pages), ...serviceWorker]) {
    site.set(path, { type: typeOf(path), forEver: false, content });
  }
  for (const { path, address } of catalogue.files) {
    site.set(address, { type: OCTETS, forEver: true, content: join(modelDir, path) });
  }
  return site;
}

/**
 * @param {string} html
 * @param {Record<string, string>} values by their names in the page
 */
function filledIn(html, values) {
  return html.replaceAll(/\{\{([a-z-]+)\}\}/g, (_, name) => {
    if (!Object.hasOwn(values, name)) throw new Error(`the page names ${name}, which the site has not`);
    return values[name];
  });
}

/** @param {string} path */
function typeOf(path) {
  return /** @type {Record<string, string>} */ (TYPES)[path.slice(path.lastIndexOf('.') + 1)] ?? OCTETS;
}

/** @param {Uint8Array} bytes */
function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
