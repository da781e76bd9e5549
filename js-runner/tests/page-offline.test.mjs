/** How the page and its model come to a browser, and stay there: addresses, what is kept, and the page without its server. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { catalogueOf } from '../src/browser/catalogue.mjs';
import { LlmzipError } from '../src/core/errors.mjs';
import { sha256Hex } from '../src/core/model/provenance.mjs';
import { TINY, temporaryFolder, withoutTiny, writeModelFolder } from './support/model-folder.mjs';
import { Browser, download, press, ready, startServer, withoutPage } from './support/page.mjs';
import { BIN } from './support/runner.mjs';

const MANIFEST = join(TINY, '..', 'manifest.toml');
const EXACT = 'onnx/model_exact.onnx';

/**
 * The tiny model in a folder of its own, beside its manifest.
 *
 * @param {import('node:test').TestContext} context
 */
function copyOfTiny(context) {
  const folder = join(temporaryFolder(context), 'models');
  mkdirSync(join(folder, 'tiny', 'onnx'), { recursive: true });
  cpSync(MANIFEST, join(folder, 'manifest.toml'));
  for (const file of ['tokenizer.json', 'config.json', EXACT]) cpSync(join(TINY, file), join(folder, 'tiny', file));
  return join(folder, 'tiny');
}

/**
 * @param {import('node:test').TestContext} context
 * @param {string[]} args
 */
async function served(context, args) {
  const server = await startServer(args);
  context.after(() => server.stop());
  return server;
}

/**
 * @param {import('node:test').TestContext} context
 * @param {string} url
 */
async function browsing(context, url) {
  const browser = await Browser.start(url);
  context.after(() => browser.close());
  return browser;
}

suite('in a browser', { skip: withoutPage }, () => {
  test('the page works when its server is gone', async (context) => {
    const server = await served(context, ['--model', TINY]);
    const browser = await browsing(context, server.url);
    const page = await browser.open();
    await page.evaluate(() => navigator.serviceWorker.ready);
    assert.equal(await page.locator('#model-kept').getAttribute('class'), 'good');
    assert.equal(await server.stop('SIGINT'), 0);
    await page.reload();
    await ready(page);
    assert.equal(await page.evaluate(() => crossOriginIsolated), true);
    await page.getByLabel('Or type or paste text').fill('1\n2\n3\n4\n');
    assert.equal(await press(page, 'Compress'), 'result');
    const { bytes } = await download(page);
    assert.ok(bytes.length > 0);
    // A run that was cancelled has a new worker, and that its model again.
    await page.getByRole('button', { name: 'Compress', exact: true }).click();
    await page.keyboard.press('Escape');
    await ready(page);
    assert.equal(await press(page, 'Compress'), 'result');
    assert.ok((await download(page)).bytes.equals(bytes));
    // The browser tells of requests that nobody answers; nothing else may be amiss.
    assert.deepEqual(
      browser.faults.filter((fault) => !fault.includes('net::ERR_CONNECTION_REFUSED')),
      [],
    );
  });

  test('a model that is not what the manifest says is refused, and not kept', async (context) => {
    const folder = copyOfTiny(context);
    const right = readFileSync(join(folder, EXACT));
    writeFileSync(
      join(folder, EXACT),
      right.map((byte, i) => (i === 1_000_000 ? byte ^ 1 : byte)),
    );
    const server = await served(context, ['--model', folder]);
    const browser = await browsing(context, server.url);
    const page = await browser.open({ withModel: false });
    await page.locator('#model-state.failure').waitFor();
    assert.match(
      await page.locator('#model-state').innerText(),
      /onnx\/model_exact\.onnx has SHA-256 [0-9a-f]{64}, expected is/,
    );
    await page.getByLabel('Or type or paste text').fill('1\n2\n3\n');
    assert.equal(await press(page, 'Compress'), 'failure');
    assert.equal(await page.locator('#failure-code').innerText(), 'integrity');
    // The right file has the same address.
    writeFileSync(join(folder, EXACT), right);
    await page.reload();
    await ready(page);
    assert.equal(await page.locator('#model-verified').getAttribute('class'), 'good');
    await page.getByLabel('Or type or paste text').fill('1\n2\n3\n');
    assert.equal(await press(page, 'Compress'), 'result');
  });

  test('a model whose weights lie in several files, and that no manifest knows', async (context) => {
    const folder = join(temporaryFolder(context), 'models', 'split');
    writeModelFolder(folder, { graph: { tableFile: 'weights.bin' } });
    const server = await served(context, ['--model', folder]);
    const browser = await browsing(context, server.url);
    const page = await browser.open();
    assert.equal(await page.locator('#model-verified').getAttribute('class'), 'doubtful');
    const kept = await page.evaluate(async () => {
      const store = await caches.open('llmzip-models');
      return (await store.keys()).map(({ url }) => new URL(url).pathname.split('/').at(-1));
    });
    assert.deepEqual(kept.sort(), ['config.json', 'model_q4.onnx', 'tokenizer.json', 'weights.bin']);
    assert.equal(await page.locator('#model-kept').getAttribute('class'), 'good');
  });
});

suite('as a folder', { skip: withoutPage }, () => {
  test('any server will do, and the page goes on without it', async (context) => {
    const folder = join(temporaryFolder(context), 'site');
    const words = [BIN, 'page', '-o', folder, '--model', TINY];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^\d+ files in /);
    const again = spawnSync(process.execPath, words, { encoding: 'utf8' });
    assert.equal(again.status, 2, again.stderr);
    // One that knows nothing of the page: in a folder of its own, with no header but the type.
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://here').pathname.replace(/^\/some\/where\//, '');
      const file = join(folder, path === '' ? 'index.html' : path);
      if (!existsSync(file)) return void response.writeHead(404).end();
      const types = {
        '.html': 'text/html',
        '.js': 'text/javascript',
        '.mjs': 'text/javascript',
        '.wasm': 'application/wasm',
      };
      const type =
        { ...types, '.css': 'text/css', '.svg': 'image/svg+xml' }[extname(file)] ?? 'application/octet-stream';
      response.writeHead(200, { 'Content-Type': type }).end(readFileSync(file));
    });
    await /** @type {Promise<void>} */ (new Promise((resolve) => server.listen(0, '127.0.0.1', resolve)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    const browser = await browsing(context, `http://127.0.0.1:${port}/some/where/`);
    const page = await browser.open();
    assert.equal(await page.evaluate(() => crossOriginIsolated), false);
    await page.evaluate(() => navigator.serviceWorker.ready);
    assert.deepEqual(browser.faults, []);
    server.close();
    server.closeAllConnections();
    await page.reload();
    await ready(page);
    await page.getByLabel('Or type or paste text').fill('1\n2\n3\n');
    assert.equal(await press(page, 'Compress'), 'result');
    assert.deepEqual(readdirSync(join(folder, '..')), ['site']);
  });

  test('the package has what makes the page, and no model', () => {
    const packed = spawnSync('npm', ['pack', '--dry-run', '--json', '--offline', '--ignore-scripts'], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      encoding: 'utf8',
      shell: process.platform === 'win32',
    });
    assert.equal(packed.status, 0, packed.stderr);
    const [{ files }] = JSON.parse(packed.stdout);
    const paths = files.map((/** @type {{ path: string }} */ { path }) => path);
    for (const path of [
      'bin/llmzip.mjs',
      'src/browser/site.mjs',
      'web/index.html',
      'web/worker/worker.mjs',
      'web/style.css',
    ]) {
      assert.ok(paths.includes(path), path);
    }
    const own = /^(bin|src|web)\/|^(package\.json|README\.md)$/;
    assert.deepEqual(
      paths.filter((/** @type {string} */ path) => !own.test(path) || path.endsWith('.onnx')),
      [],
    );
  });
});

suite('over HTTP', { skip: withoutTiny }, () => {
  test('what never changes has its hash in its address and is kept, the rest is asked for again', async (context) => {
    const { url } = await served(context, ['--model', TINY]);
    const page = await fetch(url);
    const html = await page.text();
    assert.equal(page.headers.get('cache-control'), 'no-cache');
    const policy = String(page.headers.get('content-security-policy'));
    assert.match(policy, /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/);
    assert.ok(!policy.includes('unsafe-inline') && !policy.includes("'unsafe-eval'"), policy);
    const catalogue = await (await fetch(new URL('catalogue.json', url))).json();
    const assets = [...html.matchAll(/"(assets\/[^"]+-([0-9a-f]{16})\.[a-z]+)"/g)].map(([, path, hash]) => ({
      path,
      hash,
    }));
    assert.equal(assets.length, 6);
    const models = catalogue.files.map((/** @type {any} */ { address, sha256 }) => ({ path: address, hash: sha256 }));
    for (const { path, hash } of [...assets, ...models]) {
      const response = await fetch(new URL(path, url));
      assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable', path);
      const bytes = new Uint8Array(await response.arrayBuffer());
      assert.ok(sha256Hex(bytes).startsWith(hash), path);
      assert.equal(response.headers.get('content-length'), String(bytes.length), path);
    }
    const exact = sha256Hex(readFileSync(join(TINY, EXACT))).slice(0, 12);
    assert.ok(models.some((/** @type {any} */ { path }) => path.includes(exact)));
    for (const path of ['index.html', 'service-worker.js', 'catalogue.json']) {
      assert.equal((await fetch(new URL(path, url))).headers.get('cache-control'), 'no-cache', path);
    }
    assert.equal((await fetch(new URL('models/README.md', url))).status, 404);
    assert.equal((await fetch(new URL('../package.json', url))).status, 404);
  });

  test('only graphs whose files are all there are offered, each with the hash of the manifest', async (context) => {
    const folder = copyOfTiny(context);
    const { variant, variants, files } = await catalogueOf(folder);
    assert.deepEqual(
      variants.map(({ dtype }) => dtype),
      ['exact'],
    );
    assert.equal(variant, 'exact');
    assert.ok(files.every(({ known, address, sha256 }) => known && address.startsWith(`models/${sha256}/`)));
    await assert.rejects(catalogueOf(folder, 'q4'), (error) => error instanceof LlmzipError && error.code === 'usage');
    const empty = join(folder, '..', 'smollm2-135m-instruct');
    mkdirSync(empty);
    await assert.rejects(catalogueOf(empty), (error) => error instanceof LlmzipError && error.code === 'setup');
  });

  test('a model file that has gone is told, and that is not kept', async (context) => {
    const folder = copyOfTiny(context);
    const { url } = await served(context, ['--model', folder]);
    const { files } = await (await fetch(new URL('catalogue.json', url))).json();
    const { address } = files.find((/** @type {{ path: string }} */ { path }) => path === EXACT);
    const ask = (/** @type {string} */ method) => fetch(new URL(address, url), { method });
    const head = await ask('HEAD');
    assert.equal(head.headers.get('content-length'), String(readFileSync(join(folder, EXACT)).length));
    const check = async (/** @type {RegExp} */ said) => {
      const response = await ask('GET');
      assert.equal(response.status, 422);
      assert.equal(response.headers.get('cache-control'), 'no-store');
      assert.equal(response.headers.get('content-type'), 'application/json');
      const body = await response.text();
      assert.equal(JSON.parse(body).code, 'io');
      assert.match(JSON.parse(body).message, said);
      assert.ok(!body.includes(folder), body);
    };
    rmSync(join(folder, EXACT));
    await check(/^cannot read model_exact\.onnx: ENOENT$/);
    mkdirSync(join(folder, EXACT));
    await check(/^cannot read model_exact\.onnx: /);
  });

  test('a port that is taken is told, and what ends it', async (context) => {
    const { url, stop, stderr } = await served(context, ['--model', TINY]);
    const port = new URL(url).port;
    await assert.rejects(startServer(['--port', port]), /error\[io\]: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
    await assert.rejects(startServer(['--port', '65536']), /error\[usage\]: --port is 65536/);
    assert.equal(await stop('SIGINT'), 0);
    assert.equal(stderr(), 'the page is served to this machine alone; Ctrl-C ends it\n');
  });
});
