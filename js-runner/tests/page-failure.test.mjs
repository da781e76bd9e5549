/** The page in Chromium when something beside its input fails: it says so, and goes on as soon as it can. */

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { TINY } from './support/model-folder.mjs';
import { Browser, press, ready, startServer, withoutPage } from './support/page.mjs';

/** @typedef {import('playwright-core').Page} Page */

const WORKER = '**/assets/worker-*.js';

suite('the page, when something fails', { skip: withoutPage }, () => {
  /** @type {Awaited<ReturnType<typeof startServer>>} */
  let server;
  /** @type {Browser} */
  let browser;
  before(async () => {
    server = await startServer(['--model', TINY]);
    browser = await Browser.start(server.url);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /**
   * A page that is loaded again with what `spoil` does, and has a text.
   *
   * @param {import('node:test').TestContext} context
   * @param {(page: Page) => Promise<unknown>} [spoil]
   */
  async function spoiled(context, spoil = async () => {}) {
    const page = await browser.open({ withModel: false });
    context.after(() => page.close());
    // What a service worker keeps is out of the test's reach.
    await page.addInitScript(() => Object.defineProperty(navigator, 'serviceWorker', { value: undefined }));
    await page.evaluate(async () => {
      for (const each of (await navigator.serviceWorker?.getRegistrations()) ?? []) await each.unregister();
      for (const name of await caches.keys()) await caches.delete(name);
    });
    await spoil(page);
    await page.reload();
    await page.getByLabel('Or type or paste text').fill('1\n2\n3\n4\n');
    return page;
  }

  /** @param {Page} page */
  const modelState = (page) => page.locator('#model-state');

  /**
   * The page says that its model cannot be used, and why.
   *
   * @param {Page} page
   * @param {RegExp} said
   */
  async function checkNoModel(page, said) {
    await page.locator('#model-state.failure').waitFor();
    assert.match(await modelState(page).innerText(), said);
    assert.equal(await page.locator('#model-story').isVisible(), false);
  }

  /**
   * A run works, and the page says which model it has.
   *
   * @param {Page} page
   */
  async function checkWorks(page) {
    assert.equal(await press(page, 'Compress'), 'result');
    await ready(page);
    assert.equal(await modelState(page).innerText(), 'tiny, exact, is loaded.');
    assert.doesNotMatch(String(await modelState(page).getAttribute('class')), /failure/);
  }

  for (const [name, answer, said] of /** @type {const} */ ([
    ['cannot be loaded', undefined, /the worker could not be started/],
    ['fails', "addEventListener('message', () => { throw new Error('as it was made'); });", /as it was made/],
  ])) {
    test(`a worker that ${name} is told at every run, and replaced`, async (context) => {
      const page = await spoiled(context, (page) =>
        page.route(WORKER, async (route) => {
          if (answer === undefined) return route.abort();
          const headers = { ...(await route.fetch()).headers(), 'cache-control': 'no-store' };
          return route.fulfill({ headers, body: answer });
        }),
      );
      await checkNoModel(page, said);
      for (let run = 0; run < 2; run++) {
        assert.equal(await press(page, 'Compress'), 'failure');
        assert.match(await page.locator('#failure-message').innerText(), new RegExp(said.source, 'i'));
        assert.equal(await page.locator('#failure-code').innerText(), 'internal');
      }
      await page.unroute(WORKER);
      await checkWorks(page);
    });
  }

  test('a model that came late is shown, and so is the choice', async (context) => {
    const catalogue = '**/catalogue.json';
    const page = await spoiled(context, (page) => page.route(catalogue, (route) => route.abort()));
    await checkNoModel(page, /cannot get the list of models/);
    await page.unroute(catalogue);
    await checkWorks(page);
    assert.equal(await page.getByLabel('Compress with').inputValue(), 'exact');
  });

  test('a variant that the server has not is refused, and another may be chosen', async (context) => {
    const page = await spoiled(context);
    await ready(page);
    await page.getByLabel('Compress with').evaluate((select) => select.append(new Option('q9')));
    await page.getByLabel('Compress with').selectOption('q9');
    await checkNoModel(page, /the model tiny has no variant q9 here\. use one of: .*exact/);
    assert.equal(await press(page, 'Compress'), 'failure');
    assert.equal(await page.locator('#failure-code').innerText(), 'usage');
    await page.getByLabel('Compress with').selectOption('exact');
    await ready(page);
    await checkWorks(page);
  });

  test('without zstd there is a result, which does not name it', async (context) => {
    const page = await spoiled(context, (page) =>
      page.route(WORKER, async (route) => {
        const response = await route.fetch();
        // It alone is instantiated from bytes that are in the script.
        const lack = `const compile = WebAssembly.instantiate;
          WebAssembly.instantiate = (bytes, ...rest) => bytes.byteLength < 1_000_000
            ? Promise.reject(new RangeError('no memory')) : compile(bytes, ...rest);\n`;
        await route.fulfill({ response, body: lack + (await response.text()) });
      }),
    );
    await ready(page);
    await checkWorks(page);
    assert.deepEqual(await page.locator('#sizes-rows th').allInnerTexts(), ['plain', 'gzip', 'LLMzip']);
  });
});
