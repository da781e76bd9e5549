/** The runner in Chromium: the answers of Node's runner, and what is told and left behind when the browser fails. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { suite, test } from 'node:test';
import { RequestFiles } from '../src/browser/files.mjs';
import { hostsOf, LoopbackServer } from '../src/browser/server.mjs';
import { InternalError } from '../src/core/errors.mjs';
import { withoutChromium } from './support/chromium.mjs';
import { hashesOf, TINY, temporaryFolder, withoutTiny } from './support/model-folder.mjs';
import { startRunner } from './support/runner.mjs';

/** @typedef {import('./support/runner.mjs').Runner} Runner */

const POLICY = { start_token: 0, window: 64, overlap: 16 };
const EXACT = 'onnx/model_exact.onnx';
const TEXT = '1\n2\n3\n4\n5\n6\n7\n8\n9\n10\nThe value is {"id": 17, "name": "seven"}; 2024-02-29. Ünïcode 漢字.\n';

const skip = withoutChromium || withoutTiny;
const needsProc = process.platform !== 'linux' && 'needs /proc';

/**
 * @param {string} file
 * @param {object} [more]
 */
function loadParams(file, more) {
  const { model_sha256, tokenizer_sha256 } = /** @type {any} */ (hashParams(file));
  return {
    model_dir: TINY,
    model_file: file,
    model_sha256,
    tokenizer_sha256,
    threads: 1,
    provider: 'cpu',
    graph_optimization: 'all',
    ...more,
  };
}

/** @param {string} file */
function hashParams(file) {
  const { model, tokenizer } = hashesOf(TINY, file);
  return { model_sha256: model, tokenizer_sha256: tokenizer };
}

/**
 * @param {import('node:test').TestContext} context
 * @param {NodeJS.ProcessEnv} [env]
 */
const startBrowser = (context, env) => startRunner(context, { args: ['--browser', 'wasm'], ...(env && { env }) });

/**
 * Processes that descend from one, by the type that Chromium gives them on their command lines.
 *
 * @param {number} ancestor
 */
function descendants(ancestor) {
  const lines = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim().split('\n');
  const all = lines.map((line) => {
    const [pid, parent, ...args] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), args: args.join(' ') };
  });
  const found = new Set([ancestor]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return all.filter(({ pid }) => pid !== ancestor && found.has(pid));
}

/** @param {() => boolean} holds */
async function until(holds) {
  for (let i = 0; i < 3000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(holds());
}

/**
 * A request that takes longer than any test waits; it is under way when this returns.
 *
 * @param {Runner} runner
 * @param {string} folder
 */
async function startLongRequest(runner, folder) {
  const input = join(folder, 'long');
  writeFileSync(input, 'abcdef '.repeat(2 ** 20));
  const output = join(folder, 'busy');
  mkdirSync(output, { recursive: true });
  const files = { input_file: input, output_file: join(output, 'out') };
  const params = { ...files, lanes: 1, eps: '0', ...POLICY, frame_bytes: 2 ** 16 };
  runner.write(`${JSON.stringify({ id: 77, op: 'compress', params })}\n`);
  assert.ok((await runner.receive()).progress);
  assert.equal(readdirSync(output).length, 1);
  return output;
}

/**
 * What ends the request, behind any progress.
 *
 * @param {Runner} runner
 */
async function ending(runner) {
  for (;;) {
    const reply = await runner.receive();
    assert.ok(reply, runner.stderr);
    if (!reply.progress) return reply;
  }
}

suite('the runner in a browser', { skip }, () => {
  test('answers an exact graph as Node does, to the bit', async (context) => {
    const folder = temporaryFolder(context);
    const input = join(folder, 'plain');
    writeFileSync(input, TEXT);
    const answers = [];
    for (const [name, runner] of Object.entries({ node: startRunner(context), browser: startBrowser(context) })) {
      assert.equal((await runner.ask('hello', { protocol: 1 })).result.name, name === 'node' ? name : 'browser-wasm');
      const { result: loaded } = await runner.ask('load', loadParams(EXACT));
      const { fingerprint } = loaded;
      const { result: inspected } = await runner.ask('inspect', {});
      const { ids } = (await runner.ask('tokenize', { text: TEXT })).result;
      assert.equal((await runner.ask('detokenize', { ids })).result.text, TEXT);
      const files = ['logits', 'rows', 'coded'].map((kind) => join(folder, `${name}.${kind}`));
      const asked = { logits_file: files[0], rows_file: files[1], coded_file: files[2] };
      const plan = { lanes: 3, chunk: 16 };
      const { result: rows } = await runner.ask('logprobs', { ids, plan, ...POLICY, ...asked });
      const container = join(folder, `${name}.llmzip`);
      const settings = { lanes: 2, eps: '0', ...POLICY, frame_bytes: 64 };
      const { result: written } = await runner.ask('compress', {
        input_file: input,
        output_file: container,
        ...settings,
      });
      answers.push({
        loaded: { ...loaded, fingerprint: undefined },
        inspected,
        ids,
        rows,
        logits: readFileSync(files[0]).toString('hex'),
        sizes: files.map((file) => readFileSync(file).length),
        written: { ...written, entropy_bits: written.entropy_bits.toFixed(6) },
        container: readFileSync(container).toString('hex'),
      });
      if (name === 'browser') {
        assert.equal(fingerprint.runtime, 'onnxruntime-web');
        assert.equal(fingerprint.arch, 'wasm');
        assert.match(fingerprint.language_version, /^chromium \d+\./);
        const back = { input_file: join(folder, 'node.llmzip'), output_file: join(folder, 'back') };
        await runner.ask('decompress', back);
        assert.equal(readFileSync(back.output_file, 'utf8'), TEXT);
      }
    }
    assert.deepEqual(answers[1], answers[0]);
  });

  test('refuses what is not the model, not here or not there', async (context) => {
    const runner = startBrowser(context);
    const folder = temporaryFolder(context);
    /** @type {(op: string, params: object, code: string | null) => Promise<void>} */
    const check = async (op, params, code) => assert.equal(await runner.codeOf(op, params), code, op);
    await check('inspect', {}, 'usage');
    await check('load', loadParams(EXACT, { model_sha256: '0'.repeat(64) }), 'integrity');
    await check('load', loadParams(EXACT, { tokenizer_sha256: '0'.repeat(64) }), 'integrity');
    await check('load', loadParams(EXACT, { provider: 'webgpu' }), 'unsupported');
    await check('load', loadParams(EXACT, { model_file: 'onnx/none.onnx' }), 'setup');
    await check('inspect', {}, 'usage');
    // Two threads need a page that is cross-origin isolated.
    await check('load', loadParams(EXACT, { threads: 2 }), null);
    await check('load', { model_dir: TINY }, 'usage');
    await check('inspect', {}, null);
    const output = join(folder, 'out');
    await check('decompress', { input_file: join(folder, 'none'), output_file: output }, 'io');
    await check('decompress', { input_file: folder, output_file: output }, 'io');
    writeFileSync(join(folder, 'empty'), '');
    await check('decompress', { input_file: join(folder, 'empty'), output_file: output }, 'format');
    await check('decompress', { input_file: join(folder, 'empty'), output_file: join(folder, 'no', 'out') }, 'io');
    assert.deepEqual(readdirSync(folder), ['empty']);
  });

  test('a page or a browser that ends fails its request, and the next load starts another', {
    skip: needsProc,
  }, async (context) => {
    const runner = startBrowser(context);
    const folder = temporaryFolder(context);
    /** @type {(isVictim: (args: string) => boolean, message: RegExp) => Promise<void>} */
    const check = async (isVictim, message) => {
      assert.equal(await runner.codeOf('load', loadParams(EXACT)), null, runner.stderr);
      const output = await startLongRequest(runner, folder);
      const victims = descendants(Number(runner.child.pid)).filter(({ args }) => isVictim(args));
      assert.ok(victims.length > 0);
      for (const { pid } of victims) process.kill(pid, 'SIGKILL');
      const { error } = await ending(runner);
      assert.equal(error?.code, 'internal');
      assert.match(error.message, message);
      assert.deepEqual(readdirSync(output), []);
      assert.equal(await runner.codeOf('inspect', {}), 'usage');
    };
    await check((args) => args.includes('--type=renderer'), /^the page crashed$/);
    await check((args) => args.includes('--remote-debugging-pipe'), /^the (browser ended|page crashed)$/);
    assert.equal(await runner.codeOf('load', loadParams(EXACT)), null, runner.stderr);
    assert.equal(await runner.codeOf('inspect', {}), null);
  });

  test('leaves nothing behind when it ends, is told to, or is killed', { skip: needsProc }, async (context) => {
    const temporary = temporaryFolder(context);
    /** @type {(end: (runner: Runner, worker: number) => void) => Promise<void>} */
    const check = async (end) => {
      const runner = startBrowser(context, { TMPDIR: temporary });
      assert.equal(await runner.codeOf('hello', { protocol: 1 }), null, runner.stderr);
      assert.equal(readdirSync(temporary).length, 1);
      const all = descendants(Number(runner.child.pid));
      assert.ok(all.some(({ args }) => args.includes('--type=renderer')));
      const worker = all.find(({ parent }) => parent === runner.child.pid);
      end(runner, Number(worker?.pid));
      await runner.exit;
      await until(() => all.every(({ pid }) => !existsSync(`/proc/${pid}`)));
    };
    await check((runner) => runner.child.stdin.end());
    assert.deepEqual(readdirSync(temporary), []);
    await check((runner) => runner.child.kill('SIGTERM'));
    assert.deepEqual(readdirSync(temporary), []);
    // Who is killed removes nothing; the next one does.
    await check((_runner, worker) => process.kill(worker, 'SIGKILL'));
    assert.equal(readdirSync(temporary).length, 1);
    await check((runner) => runner.child.stdin.end());
    assert.deepEqual(readdirSync(temporary), []);
  });
});

test('without a browser every request that needs one says how to get it', async (context) => {
  const runner = startBrowser(context, { LLMZIP_CHROMIUM: '/llmzip/no/browser' });
  const { error } = await runner.ask('hello', { protocol: 1 });
  assert.equal(error.code, 'setup');
  assert.match(error.message, /^LLMZIP_CHROMIUM is \/llmzip\/no\/browser, which cannot be run$/);
  assert.match(error.hint, /apt-get install chromium/);
});

test('the server answers its own page alone', async (context) => {
  const server = new LoopbackServer({ 'GET page': ({ response }) => void response.end('secret') });
  await server.start();
  context.after(() => server.close());
  /** @type {(path: string, headers?: Record<string, string>, more?: object) => Promise<import('node:http').IncomingMessage>} */
  const get = (path, headers = {}, more = {}) =>
    new Promise((resolve, reject) => {
      request(new URL(path, server.url), { headers, ...more }, resolve)
        .on('error', reject)
        .end();
    });
  const page = await get('page');
  assert.equal(page.statusCode, 200);
  assert.equal(page.headers['cross-origin-opener-policy'], 'same-origin');
  assert.equal(page.headers['cross-origin-embedder-policy'], 'require-corp');
  assert.match(String(page.headers['content-security-policy']), /^default-src 'none';/);
  assert.equal((await get('page', { host: 'example.org' })).statusCode, 404);
  assert.equal((await get('/page')).statusCode, 404);
  assert.equal((await get(`/${'0'.repeat(32)}/page`)).statusCode, 404);
  assert.equal((await get('other')).statusCode, 404);
  assert.equal(await text(page), 'secret');
  const head = await get('page', {}, { method: 'HEAD' });
  assert.equal(head.statusCode, 200);
  assert.equal(await text(head), '');
  for (const path of ['//', 'http://']) assert.equal((await get('page', {}, { path })).statusCode, 400, path);
  assert.deepEqual(hostsOf(81), ['127.0.0.1:81', 'localhost:81']);
  assert.deepEqual(hostsOf(80), ['127.0.0.1:80', 'localhost:80', '127.0.0.1', 'localhost']);
});

test('a page gets the files of its request alone', async (context) => {
  const folder = temporaryFolder(context);
  for (const name of ['model', 'beside']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'file'), name);
  }
  const model = join(folder, 'model');
  const output = join(folder, 'out');
  const files = new RequestFiles({ model_dir: model, output_file: output });
  const server = createServer((asked, response) => {
    const path = new URL(asked.url ?? '', 'http://here').searchParams.get('path') ?? '';
    files.send(path, response).catch((error) => response.writeHead(error instanceof InternalError ? 403 : 500).end());
  });
  await /** @type {Promise<void>} */ (new Promise((resolve) => server.listen(0, '127.0.0.1', resolve)));
  context.after(() => void server.close());
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  /** @type {(path: string, status: number) => Promise<void>} */
  const check = async (path, status) => {
    const response = await fetch(`http://127.0.0.1:${port}/?path=${encodeURIComponent(path)}`);
    assert.equal(response.status, status, path);
    if (status === 200) assert.equal(await response.text(), 'model');
  };
  await check(`${model}/file`, 200);
  await check(`${folder}/beside/file`, 403);
  await check(`${model}/../beside/file`, 403);
  await check(model, 403);
  await check('', 403);

  assert.throws(() => files.open([join(folder, 'other')]), InternalError);
  files.open([output]);
  const piece = Buffer.alloc(18);
  piece.writeUInt32LE(2, 4);
  piece.write('ab', 16);
  files.write(piece);
  assert.throws(() => files.write(piece.subarray(0, 17)), InternalError);
  piece.writeUInt32LE(1, 0);
  assert.throws(() => files.write(piece), InternalError);
  files.discard();
  assert.ok(!existsSync(output));
  files.open([output]);
  piece.writeUInt32LE(0, 0);
  files.write(piece);
  files.commit();
  assert.equal(readFileSync(output, 'utf8'), 'ab');
});
