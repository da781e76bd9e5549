/**
 * The page for people, served on this machine until it is told to stop.
 *
 * Owns the answers to a browser's requests for files of the site; what the site is made of is `site`'s.
 *
 * @module
 */

import { createReadStream, statSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
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
  return async ({ response }) => {
    response.setHeader('Cache-Control', forEver ? FOR_EVER : ASK_AGAIN);
    response.setHeader('Content-Type', type);
    if (typeof content !== 'string') {
      response.setHeader('Content-Length', content.length);
      response.end(content);
      return;
    }
    // A model may be large, and change below us: the page holds what it gets to its hash.
    response.setHeader('Content-Length', statSync(content).size);
    await pipeline(createReadStream(content), response);
  };
}
