/**
 * The page for people, served on this machine until it is told to stop.
 *
 * Owns the answers to a browser's requests for files of the site; what the site is made of is `site`'s.
 *
 * @module
 */

import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { IoError } from '../core/errors.mjs';
import { catalogueOf } from './catalogue.mjs';
import { LoopbackServer } from './server.mjs';
import { buildSite, INDEX } from './site.mjs';

/** @typedef {import('./site.mjs').SiteFile} SiteFile */

const FOR_EVER = 'public, max-age=31536000, immutable';
const ASK_AGAIN = 'no-cache';

/**
 * Serves the page with a model.
 *
 * @param {string} modelDir
 * @param {{ port: number, dtype?: string | undefined }} options 0 is any port that is free
 * @returns {Promise<LoopbackServer>} one that listens
 * @throws {import('../core/errors.mjs').LlmzipError} usage, setup, io
 */
export async function servePage(modelDir, { port, dtype }) {
  const site = await buildSite(modelDir, await catalogueOf(modelDir, dtype));
  const answers = Array.from(site, ([path, file]) => /** @type {const} */ ([`GET ${path}`, answerOf(file)]));
  const index = /** @type {SiteFile} */ (site.get(INDEX));
  const server = new LoopbackServer(Object.fromEntries([['GET ', answerOf(index)], ...answers]), '/');
  await server.start(port);
  return server;
}

/**
 * @param {SiteFile} file
 * @returns {import('./server.mjs').Handler}
 */
function answerOf({ type, forEver, content }) {
  return async ({ request, response }) => {
    response.setHeader('Cache-Control', forEver ? FOR_EVER : ASK_AGAIN);
    response.setHeader('Content-Type', type);
    if (typeof content !== 'string') {
      response.setHeader('Content-Length', content.length);
      response.end(content);
      return;
    }
    // A model may be large, and change below us: the page holds what it gets to its hash.
    const { file, size } = await openFile(content);
    try {
      response.setHeader('Content-Length', size);
      if (request.method === 'HEAD') response.end();
      else await pipeline(file.createReadStream({ autoClose: false }), response);
    } finally {
      await file.close();
    }
  };
}

/**
 * @param {string} path
 * @returns {Promise<{ file: import('node:fs/promises').FileHandle, size: number }>} its size in bytes
 * @throws {IoError} it names the file alone: where this machine has it is no matter of a page's
 */
async function openFile(path) {
  const failure = (/** @type {string} */ why, /** @type {unknown} */ cause) =>
    new IoError(
      `cannot read ${basename(path)}: ${why}`,
      "get the model's files again, all of them, and start the server again",
      cause,
    );
  const file = await open(path).catch((cause) => {
    throw failure(cause.code ?? 'it cannot be opened', cause);
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw failure('it is no file any more', undefined);
    return { file, size: stats.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}
