/** The runner as a real process: every operation, hostile requests, noise on stdout, and its end. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { sha256Hex } from '../src/core/model/provenance.mjs';
import { hashesOf, TINY, temporaryFolder, withoutTiny, writeModelFolder } from './support/model-folder.mjs';
import { startRunner } from './support/runner.mjs';

const POLICY = { start_token: 0, window: 6, overlap: 2 };
const PLAIN = 'abcdef fedcba\n'.repeat(40);

/**
 * @param {{ folder: string, model: string, tokenizer: string }} written
 * @param {string} [file]
 */
function loadParams({ folder, model, tokenizer }, file = 'onnx/model_q4.onnx') {
  return {
    model_dir: folder,
    model_file: file,
    model_sha256: model,
    tokenizer_sha256: tokenizer,
    threads: 1,
    provider: 'cpu',
    graph_optimization: 'all',
  };
}

/**
 * A runner with a small model loaded, and a folder.
 *
 * @param {import('node:test').TestContext} context
 * @param {import('./support/onnx.mjs').GraphOptions} [graph]
 */
async function loadedRunner(context, graph) {
  const folder = temporaryFolder(context);
  const written = writeModelFolder(join(folder, 'model'), { ...(graph && { graph }) });
  const runner = startRunner(context);
  const { result, error } = await runner.ask('load', loadParams(written));
  assert.ok(result, JSON.stringify(error));
  return { runner, folder, written, result };
}

suite('operations', () => {
  test('hello says who is there', async (context) => {
    const { result } = await startRunner(context).ask('hello', { protocol: 1 });
    assert.equal(result.protocol, 1);
    assert.equal(result.name, 'node');
    assert.deepEqual([...result.ops].sort(), [
      'bench',
      'bye',
      'compress',
      'decompress',
      'detokenize',
      'hello',
      'inspect',
      'load',
      'logprobs',
      'tokenize',
    ]);
    assert.equal(result.fingerprint.language, 'javascript');
    assert.equal(result.fingerprint.provider, null);
  });

  test('load says what is loaded', async (context) => {
    const { result, written } = await loadedRunner(context, { type: 'float16' });
    assert.equal(result.model_sha256, written.model);
    assert.equal(result.tokenizer_sha256, written.tokenizer);
    assert.equal(result.vocab_size, 8);
    assert.equal(result.tokenizer_size, 8);
    assert.equal(result.logits_type, 'float16');
    assert.equal(result.fingerprint.threads, 1);
    assert.equal(result.fingerprint.graph_optimization, 'all');
    assert.match(result.fingerprint.runtime_version, /^\d+\.\d+/);
  });

  test('inspect says what the graph declares', async (context) => {
    const { runner } = await loadedRunner(context);
    const { result } = await runner.ask('inspect');
    assert.deepEqual(
      result.inputs.map((/** @type {any} */ input) => [input.name, input.type, input.shape]),
      [
        ['input_ids', 'int64', ['batch_size', 'sequence_length']],
        ['past_key_values.0.key', 'float32', ['batch_size', 1, 'past_sequence_length', 2]],
      ],
    );
    assert.deepEqual(result.opset, { '': 17 });
    assert.equal(result.ops.Concat, 2);
    assert.equal(result.batch_policy.batch, 'dynamic');
    assert.deepEqual(result.exactness, { exact: false, reason: 'the graph does not say that it is exact' });
  });

  test('eps 0 is for graphs that say that they are exact', async (context) => {
    for (const metadata of [{ 'llmzip.exact': '1' }, undefined]) {
      const { runner, folder } = await loadedRunner(context, metadata && { metadata });
      const [plain, container, back] = ['plain', 'container', 'back'].map((name) => join(folder, name));
      writeFileSync(plain, PLAIN);
      const choice = { lanes: 2, eps: '0', ...POLICY, frame_bytes: 300 };
      const { result, error } = await runner.ask('compress', { input_file: plain, output_file: container, ...choice });
      assert.equal((await runner.ask('inspect')).result.exactness.exact, metadata !== undefined);
      if (metadata) {
        assert.equal(result.tokens, PLAIN.length);
        await runner.ask('decompress', { input_file: container, output_file: back });
        assert.equal(readFileSync(back, 'utf8'), PLAIN);
      } else {
        assert.equal(error.code, 'unsupported');
        assert.match(error.message, /^eps 0 relies on .*, but the graph does not say that it is exact$/);
        assert.match(error.hint, /variant exact/);
        assert.ok(!existsSync(container));
      }
    }
  });

  test('tokenize and detokenize', async (context) => {
    const { runner } = await loadedRunner(context);
    assert.deepEqual((await runner.ask('tokenize', { text: 'ab f\n' })).result, { ids: [0, 1, 6, 5, 7] });
    assert.deepEqual((await runner.ask('detokenize', { ids: [0, 1, 6, 5, 7] })).result, { text: 'ab f\n' });
    assert.deepEqual((await runner.ask('tokenize', { text: '' })).result, { ids: [] });
    assert.deepEqual((await runner.ask('detokenize', { ids: [] })).result, { text: '' });
    assert.equal((await runner.ask('detokenize', { ids: [8] })).error.code, 'usage');
  });

  for (const plan of [
    { lanes: 1, chunk: 1 },
    { lanes: 3, chunk: 1 },
    { lanes: 2, chunk: 5 },
  ]) {
    test(`logprobs of ${plan.lanes} lanes in chunks of ${plan.chunk}`, async (context) => {
      const { runner, folder } = await loadedRunner(context);
      const ids = [1, 2, 3, 4, 5, 6, 7, 0, 1, 3, 5];
      const files = {
        logits_file: join(folder, 'logits'),
        coded_file: join(folder, 'coded'),
        rows_file: join(folder, 'rows'),
      };
      const { result, progress } = await runner.ask('logprobs', { ids, plan, ...POLICY, ...files });
      assert.deepEqual(result, { rows: ids.length, vocab_size: 8, logits_type: 'float32' });
      assert.ok(progress.length > 0);
      const laneOf = lanesOf(ids.length, plan.lanes);
      const logits = new Float32Array(bufferOf(files.logits_file));
      const coded = new Float64Array(bufferOf(files.coded_file));
      const rows = new Float64Array(bufferOf(files.rows_file));
      assert.equal(logits.length, 8 * ids.length);
      assert.equal(coded.length, ids.length);
      assert.equal(rows.length, 8 * ids.length);
      for (const [i, id] of ids.entries()) {
        const previous = i === 0 || laneOf[i] !== laneOf[i - 1] ? POLICY.start_token : ids[i - 1];
        const row = Array.from({ length: 8 }, (_, each) => ((previous * 7 + each * 3) % 11) / 4);
        assert.deepEqual(Array.from(logits.subarray(8 * i, 8 * i + 8)), row);
        const sum = Math.log(row.reduce((total, each) => total + Math.exp(each), 0));
        assert.ok(Math.abs(coded[i] - (row[id] - sum)) < 1e-12);
        assert.equal(rows[8 * i + id], coded[i]);
      }
      assert.deepEqual(readdirSync(folder).sort(), ['coded', 'logits', 'model', 'rows']);
    });
  }

  test('logprobs of 16-bit logits are the bits of the graph', async (context) => {
    const { runner, folder } = await loadedRunner(context, { type: 'float16', logit: (_, id) => id });
    const files = { logits_file: join(folder, 'logits'), coded_file: join(folder, 'coded') };
    const { result } = await runner.ask('logprobs', { ids: [3], plan: { lanes: 1, chunk: 1 }, ...POLICY, ...files });
    assert.equal(result.logits_type, 'float16');
    assert.deepEqual(
      Array.from(new Uint16Array(bufferOf(files.logits_file))),
      [0x0000, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700],
    );
  });

  test('logprobs of nothing are empty files', async (context) => {
    const { runner, folder } = await loadedRunner(context);
    const files = { logits_file: join(folder, 'logits'), coded_file: join(folder, 'coded') };
    const { result } = await runner.ask('logprobs', { ids: [], plan: { lanes: 2, chunk: 1 }, ...POLICY, ...files });
    assert.equal(result.rows, 0);
    assert.equal(readFileSync(files.logits_file).length, 0);
    assert.equal(readFileSync(files.coded_file).length, 0);
  });

  test('compress and decompress', async (context) => {
    const { runner, folder } = await loadedRunner(context);
    const [plain, container, back] = ['plain', 'container', 'back'].map((name) => join(folder, name));
    writeFileSync(plain, PLAIN);
    const choice = { lanes: 2, eps: '5e-5', ...POLICY, frame_bytes: 300 };
    const { result: written } = await runner.ask('compress', { input_file: plain, output_file: container, ...choice });
    assert.equal(written.plain_bytes, PLAIN.length);
    assert.equal(written.plain_sha256, sha256Hex(Buffer.from(PLAIN)));
    assert.equal(written.tokens, PLAIN.length);
    assert.equal(written.container_bytes, readFileSync(container).length);
    const { result: read } = await runner.ask('decompress', { input_file: container, output_file: back });
    assert.equal(readFileSync(back, 'utf8'), PLAIN);
    for (const [name, value] of Object.entries(read)) assert.equal(value, written[name], name);
    // An output that is there already is made anew.
    writeFileSync(back, 'old');
    await runner.ask('decompress', { input_file: container, output_file: back });
    assert.equal(readFileSync(back, 'utf8'), PLAIN);
  });

  test('bye ends the runner with 0', async (context) => {
    const runner = startRunner(context);
    assert.deepEqual((await runner.ask('bye')).result, {});
    assert.equal(await runner.exit, 0);
  });

  test('the tiny model', { skip: withoutTiny }, async (context) => {
    const runner = startRunner(context);
    const file = 'onnx/model_q4f16.onnx';
    const { result } = await runner.ask('load', loadParams({ folder: TINY, ...hashesOf(TINY, file) }, file));
    assert.equal(result.vocab_size, JSON.parse(readFileSync(join(TINY, 'config.json'), 'utf8')).vocab_size);
    const { result: tokens } = await runner.ask('tokenize', { text: '998\n999\n1000' });
    assert.equal(tokens.ids.length, 12);
    const folder = temporaryFolder(context);
    const files = { logits_file: join(folder, 'logits'), coded_file: join(folder, 'coded') };
    const policy = { start_token: 0, window: 512, overlap: 128 };
    await runner.ask('logprobs', { ids: tokens.ids, plan: { lanes: 1, chunk: 64 }, ...policy, ...files });
    assert.ok(new Float64Array(bufferOf(files.coded_file)).every((each) => each < 0 && each > -50));
  });
});

suite('refusals', () => {
  test('a wrong hash is an integrity error, and nothing is loaded', async (context) => {
    const { runner, written } = await loadedRunner(context);
    for (const which of ['model', 'tokenizer']) {
      const wrong = { ...written, [which]: '0'.repeat(64) };
      const { error } = await runner.ask('load', loadParams(wrong));
      assert.equal(error.code, 'integrity');
      assert.match(error.message, new RegExp(`${which === 'model' ? written.model : written.tokenizer}.*0{64}`));
      assert.equal((await runner.ask('tokenize', { text: 'a' })).error.code, 'usage');
    }
  });

  test('a file that is not there', async (context) => {
    const { runner, folder, written } = await loadedRunner(context);
    const output = join(folder, 'out');
    const missing = join(folder, 'missing');
    assert.equal((await runner.ask('decompress', { input_file: missing, output_file: output })).error.code, 'io');
    const params = { ...loadParams(written), model_file: 'onnx/missing.onnx' };
    assert.equal((await runner.ask('load', params)).error.code, 'setup');
    assert.deepEqual(readdirSync(folder), ['model']);
  });

  test('a damaged container leaves no file', async (context) => {
    const { runner, folder } = await loadedRunner(context);
    const [plain, container, back] = ['plain', 'container', 'back'].map((name) => join(folder, name));
    writeFileSync(plain, PLAIN);
    const choice = { lanes: 1, eps: '5e-5', ...POLICY, frame_bytes: 100 };
    await runner.ask('compress', { input_file: plain, output_file: container, ...choice });
    const bytes = readFileSync(container);
    bytes[bytes.length - 40] ^= 4;
    writeFileSync(container, bytes);
    const { error } = await runner.ask('decompress', { input_file: container, output_file: back });
    assert.equal(error.code, 'format');
    assert.deepEqual(readdirSync(folder).sort(), ['container', 'model', 'plain']);
  });

  test('a container of another model is an integrity error', async (context) => {
    const { runner, folder } = await loadedRunner(context);
    const [plain, container] = ['plain', 'container'].map((name) => join(folder, name));
    writeFileSync(plain, PLAIN);
    const choice = { lanes: 1, eps: '5e-5', ...POLICY, frame_bytes: 1000 };
    await runner.ask('compress', { input_file: plain, output_file: container, ...choice });
    const other = writeModelFolder(join(folder, 'other'), { graph: { logit: () => 0 } });
    await runner.ask('load', loadParams(other));
    const { error } = await runner.ask('decompress', { input_file: container, output_file: join(folder, 'back') });
    assert.equal(error.code, 'integrity');
    assert.ok(!existsSync(join(folder, 'back')));
  });

  test('a disk that is full', { skip: existsSync('/dev/full') ? false : 'there is no /dev/full' }, async (context) => {
    const { runner, folder } = await loadedRunner(context);
    const plain = join(folder, 'plain');
    writeFileSync(plain, PLAIN);
    const choice = { lanes: 1, eps: '5e-5', ...POLICY, frame_bytes: 1000 };
    const { error } = await runner.ask('compress', { input_file: plain, output_file: '/dev/full', ...choice });
    assert.equal(error.code, 'io');
    assert.match(error.message, /ENOSPC/);
  });

  test('an output that is a folder, or in none', async (context) => {
    const { runner, folder } = await loadedRunner(context);
    const plain = join(folder, 'plain');
    writeFileSync(plain, PLAIN);
    const choice = { input_file: plain, lanes: 1, eps: '5e-5', ...POLICY, frame_bytes: 1000 };
    assert.equal((await runner.ask('compress', { ...choice, output_file: folder })).error.code, 'usage');
    for (const unusable of [join(folder, 'no/where'), join(plain, 'it'), join(folder, 'x'.repeat(300))]) {
      assert.equal((await runner.ask('compress', { ...choice, output_file: unusable })).error.code, 'io');
    }
  });

  test('logits that are not finite leave no file', async (context) => {
    const { runner, folder } = await loadedRunner(context, { logit: () => Number.POSITIVE_INFINITY });
    const files = { logits_file: join(folder, 'logits'), coded_file: join(folder, 'coded') };
    const { error } = await runner.ask('logprobs', { ids: [1, 2], plan: { lanes: 1, chunk: 1 }, ...POLICY, ...files });
    assert.equal(error.code, 'model');
    assert.deepEqual(readdirSync(folder), ['model']);
  });

  test('parameters that are not as they should be', async (context) => {
    const { runner, folder, written } = await loadedRunner(context);
    const good = {
      load: loadParams(written),
      tokenize: { text: 'a' },
      detokenize: { ids: [0] },
      logprobs: {
        ids: [0],
        plan: { lanes: 1, chunk: 1 },
        ...POLICY,
        logits_file: join(folder, 'logits'),
        coded_file: join(folder, 'coded'),
      },
      compress: {
        input_file: join(folder, 'in'),
        output_file: join(folder, 'out'),
        lanes: 1,
        eps: '5e-5',
        ...POLICY,
        frame_bytes: 1,
      },
    };
    for (const [op, change] of /** @type {[keyof typeof good, object][]} */ ([
      ['tokenize', { text: 7 }],
      ['tokenize', { extra: 1 }],
      ['detokenize', { ids: 'no list' }],
      ['detokenize', { ids: [0.5] }],
      ['logprobs', { ids: [8] }],
      ['logprobs', { ids: [2 ** 32] }],
      ['logprobs', { plan: { lanes: 0, chunk: 1 } }],
      ['logprobs', { plan: { lanes: 1 } }],
      ['logprobs', { plan: { lanes: 1, chunk: 1, more: 1 } }],
      ['logprobs', { window: 1 }],
      ['logprobs', { overlap: 6 }],
      ['logprobs', { start_token: 8 }],
      ['logprobs', { logits_file: 'relative' }],
      ['compress', { eps: '1e-99' }],
      ['compress', { eps: 0 }],
      ['compress', { lanes: 257 }],
      ['compress', { frame_bytes: 0 }],
      ['compress', { input_file: `${folder}/\0` }],
      ['load', { model_file: '../x.onnx' }],
      ['load', { threads: 0 }],
      ['load', { graph_optimization: 'some' }],
    ])) {
      const { error } = await runner.ask(op, { ...good[op], ...change });
      assert.equal(error?.code, 'usage', `${op} ${JSON.stringify(change)}`);
    }
    assert.equal((await runner.ask('load', { ...good.load, provider: 'cuda' })).error.code, 'unsupported');
    assert.deepEqual(readdirSync(folder), ['model']);
  });
});

suite('lines', () => {
  test('that are too long are answered, and not kept', async (context) => {
    const runner = startRunner(context);
    const piece = 'x'.repeat(2 ** 20);
    for (let i = 0; i < 65; i++) runner.write(piece);
    runner.write('\n');
    const reply = await runner.receive();
    assert.match(reply.error.message, /more than 67108864 bytes/);
    assert.ok((await runner.ask('hello', { protocol: 1 })).result);
  });

  test('that come together are answered in order', async (context) => {
    const runner = startRunner(context);
    const hello = (/** @type {number} */ id) => JSON.stringify({ id, op: 'hello', params: { protocol: 1 } });
    runner.write(`${hello(5)}\n${hello(3)}\n${hello(9)}`);
    runner.child.stdin.end();
    for (const id of [5, 3, 9]) assert.equal((await runner.receive()).id, id);
    assert.equal(await runner.receive(), undefined);
    assert.equal(await runner.exit, 0);
  });
});

suite('the process', () => {
  test('ends with 0 when stdin closes', async (context) => {
    const runner = startRunner(context);
    await runner.ask('hello', { protocol: 1 });
    runner.child.stdin.end();
    assert.equal(await runner.exit, 0);
  });

  test('keeps the stream to itself, whatever prints', async (context) => {
    const folder = temporaryFolder(context);
    const noise = join(folder, 'noise.mjs');
    // As a library would, from JavaScript and behind its back; in the working process only.
    writeFileSync(
      noise,
      `import { writeSync } from 'node:fs';
       if (process.argv[1]?.endsWith('main.mjs')) {
         setInterval(() => { console.log('noise'); process.stdout.write('noise'); writeSync(1, 'noise'); }, 1).unref();
         console.log('noise at the start');
       }`,
    );
    const written = writeModelFolder(join(folder, 'model'));
    const runner = startRunner(context, { env: { NODE_OPTIONS: `--import ${pathToFileURL(noise)}` } });
    const { result } = await runner.ask('load', loadParams(written));
    assert.equal(result.vocab_size, 8);
    for (let i = 0; i < 20; i++) assert.ok((await runner.ask('tokenize', { text: 'abc' })).result);
    assert.match(runner.stderr, /noise at the start/);
  });

  test('ends, and leaves no file, when it is told to', { skip: process.platform === 'win32' }, async (context) => {
    for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT'])) {
      const { runner, folder } = await loadedRunner(context);
      const busy = join(folder, 'busy');
      mkdirSync(busy);
      await startLongRequest(runner, folder, busy);
      runner.child.kill(signal);
      assert.equal(await runner.exit, 130);
      assert.deepEqual(readdirSync(busy), []);
    }
  });

  test('leaves nothing running when its starter is killed', {
    skip: process.platform !== 'linux' && 'needs /proc',
  }, async (context) => {
    const { runner, folder } = await loadedRunner(context);
    const busy = join(folder, 'busy');
    mkdirSync(busy);
    await startLongRequest(runner, folder, busy);
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(runner.child.pid)], { encoding: 'utf8' });
    const worker = Number(children.trim());
    assert.ok(worker > 0);
    // stdin stays open, so that only the end of the starter can tell.
    runner.child.kill('SIGKILL');
    assert.equal(await runner.exit, 'SIGKILL');
    for (let i = 0; i < 3000 && existsSync(`/proc/${worker}`); i++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(!existsSync(`/proc/${worker}`), 'it is still running');
    assert.deepEqual(readdirSync(busy), []);
  });

  test('ends when nobody reads its replies', async (context) => {
    const { runner, folder } = await loadedRunner(context);
    const busy = join(folder, 'busy');
    mkdirSync(busy);
    await startLongRequest(runner, folder, busy);
    runner.child.stdout.destroy();
    assert.equal(await runner.exit, 1);
    assert.deepEqual(readdirSync(busy), []);
  });
});

/**
 * Sends a request that takes longer than any test waits, and returns when its output has begun.
 *
 * @param {import('./support/runner.mjs').Runner} runner
 * @param {string} folder
 * @param {string} busy
 */
async function startLongRequest(runner, folder, busy) {
  const plain = join(folder, 'long');
  writeFileSync(plain, 'abcdef '.repeat(2 ** 20));
  const params = {
    input_file: plain,
    output_file: join(busy, 'out'),
    lanes: 1,
    eps: '5e-5',
    ...POLICY,
    frame_bytes: 2 ** 16,
  };
  runner.write(`${JSON.stringify({ id: 77, op: 'compress', params })}\n`);
  assert.ok((await runner.receive()).progress);
  assert.equal(readdirSync(busy).length, 1);
}

/**
 * The lane of each token.
 *
 * @param {number} tokens
 * @param {number} lanes
 */
function lanesOf(tokens, lanes) {
  return Array.from({ length: lanes }, (_, lane) => new Array(Math.ceil((tokens - lane) / lanes)).fill(lane)).flat();
}

/** @param {string} path */
function bufferOf(path) {
  return Uint8Array.from(readFileSync(path)).buffer;
}
