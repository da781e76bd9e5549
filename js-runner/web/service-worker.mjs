/**
 * The page without its server: keeps what the page is made of, and answers with it.
 *
 * Owns the page's own files; the model's are the worker's (`worker/model-cache.mjs`). A new version waits until no page of the old one is open,
 * so that a page never has files of two.
 *
 * @module
 */

/**
 * What the page is made of. `assets` have their hash in their address, `pages` have not, and are asked of the server first.
 *
 * @typedef {{ version: string, assets: string[], pages: string[] }} Site
 */

const PREFIX = 'llmzip-page-';
const INDEX = 'index.html';

/** @param {Site} site */
export function start({ version, assets, pages }) {
  const scope = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (globalThis));
  const base = new URL('.', scope.location.href);
  const name = PREFIX + version;
  const addressOf = (/** @type {string} */ path) => new URL(path, base).href;
  const kept = new Set(assets.map(addressOf));
  const asked = new Set([base.href, ...pages.map(addressOf)]);

  scope.addEventListener('install', (event) => {
    event.waitUntil(
      caches
        .open(name)
        .then((cache) => cache.addAll([...assets, ...pages].map((path) => new Request(addressOf(path))))),
    );
  });

  scope.addEventListener('activate', (event) => {
    event.waitUntil(
      (async () => {
        const names = await caches.keys();
        const old = names.filter((each) => each.startsWith(PREFIX) && each !== name);
        await Promise.all(old.map((each) => caches.delete(each)));
        await scope.clients.claim();
      })(),
    );
  });

  scope.addEventListener('fetch', (event) => {
    const { request } = event;
    const { origin, pathname } = new URL(request.url);
    const address = origin + pathname;
    if (request.method !== 'GET') return;
    if (kept.has(address)) event.respondWith(fromCache(request, address));
    else if (asked.has(address)) event.respondWith(fromServer(request, address));
  });

  /**
   * @param {Request} request
   * @param {string} address
   */
  async function fromCache(request, address) {
    const cache = await caches.open(name);
    return (await cache.match(address)) ?? fetch(request);
  }

  /**
   * @param {Request} request
   * @param {string} address
   */
  async function fromServer(request, address) {
    try {
      return await fetch(request);
    } catch (error) {
      const cache = await caches.open(name);
      const answer = await cache.match(address === base.href ? addressOf(INDEX) : address);
      if (answer) return answer;
      throw error;
    }
  }
}
