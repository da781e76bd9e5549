/**
 * The model's files in this browser: taken from Cache Storage, else from the server, and kept once their SHA-256 is right.
 *
 * Owns what is kept and what is dropped. What is loaded is hashed again by `core`'s loader, also what was kept.
 *
 * @module
 */

import { IoError, reason } from '../../src/core/errors.mjs';
import { checkSha256 } from '../../src/core/model/provenance.mjs';
import { systemSha256 } from '../../src/web/engine.mjs';

/** @typedef {import('./catalogue.mjs').Catalogue} Catalogue */
/** @typedef {import('./catalogue.mjs').OfferedFile} OfferedFile */

const STORE = 'llmzip-models';

/**
 * Bytes of a file.
 *
 * @param {URL} base the page's address
 * @param {OfferedFile} file
 * @param {(bytes: number) => void} arrived told of every piece that comes from the server, by its length
 * @returns {Promise<Uint8Array>}
 * @throws {import('../../src/core/errors.mjs').LlmzipError} io, integrity
 */
export async function readModelFile(base, file, arrived) {
  const address = new URL(file.address, base);
  const store = await openStore();
  const kept = await store?.match(address);
  if (kept) {
    const bytes = new Uint8Array(await kept.arrayBuffer());
    if ((await systemSha256(bytes)) === file.sha256) return bytes;
    // What was kept is no longer what it was.
    await store?.delete(address);
  }
  const bytes = await fetchFile(address, file, arrived);
  checkSha256(file.path, await systemSha256(bytes), file.sha256);
  // Without room for it the page works all the same, as long as there is a server.
  await store?.put(address, new Response(bytes)).catch(() => {});
  return bytes;
}

/**
 * Whether all files of a graph are kept here.
 *
 * @param {URL} base
 * @param {OfferedFile[]} files
 * @returns {Promise<boolean>}
 */
export async function areKept(base, files) {
  const store = await openStore();
  const found = await Promise.all(files.map(({ address }) => store?.match(new URL(address, base))));
  return found.every((kept) => kept !== undefined);
}

/**
 * Drops the files of models that the page no longer has.
 *
 * @param {URL} base
 * @param {Catalogue} catalogue
 */
export async function dropOthers(base, { files }) {
  const store = await openStore();
  const wanted = new Set(files.map(({ address }) => new URL(address, base).href));
  for (const { url } of (await store?.keys()) ?? []) {
    if (!wanted.has(url)) await store?.delete(url);
  }
}

/** @returns {Promise<Cache | undefined>} nothing where the browser keeps nothing, as in some private windows */
async function openStore() {
  return globalThis.caches?.open(STORE).catch(() => undefined);
}

/**
 * @param {URL} address
 * @param {OfferedFile} file
 * @param {(bytes: number) => void} arrived
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function fetchFile(address, { path, bytes: length }, arrived) {
  try {
    // Cache Storage has it already; the browser's own cache would have it twice.
    const response = await fetch(address, { cache: 'no-store' });
    if (!response.ok || !response.body) throw new Error(`the server answers ${response.status}`);
    const bytes = new Uint8Array(length);
    let end = 0;
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (end + value.length > length) throw new Error(`it has more than ${length} bytes`);
      bytes.set(value, end);
      end += value.length;
      arrived(value.length);
    }
    if (end < length) throw new Error(`it ends after ${end} of ${length} bytes`);
    return bytes;
  } catch (cause) {
    throw new IoError(
      `cannot get ${path}: ${reason(cause)}`,
      'check that the server of this page still runs, then load the page again',
      cause,
    );
  }
}
