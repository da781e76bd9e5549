/** The command line as a person uses it: files, pipes, exit codes, and what is left when it fails. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { suite, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { EXIT_CODES } from '../src/core/errors.mjs';
import { TINY, TINY_VARIANTS, temporaryFolder, withoutTiny, writeModelFolder } from './support/model-folder.mjs';
import { makeGraph } from './support/onnx.mjs';
import { BIN } from './support/runner.mjs';

const PLAIN = Buffer.from('abcdef fedcba\n'.repeat(40));
const noBash = process.platform === 'win32' && 'needs a POSIX shell';

/**
 * @param {string[]} args
 * @param {{ input?: Uint8Array, env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 */
function llmzip(args, { input, env, cwd } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    ...(input && { input }),
    env: { ...process.env, ...env },
    ...(cwd && { cwd }),
    maxBuffer: 2 ** 26,
  });
  return { status, stdout, stderr: stderr.toString('utf8') };
}

/**
 * A folder with a small model and a file to compress.
 *
 * @param {import('node:test').TestContext} context
 */
function workplace(context) {
  const folder = temporaryFolder(context);
  const model = writeModelFolder(join(folder, 'models', 'small')).folder;
  const plain = join(folder, 'plain');
  writeFileSync(plain, PLAIN);
  mkdirSync(join(folder, 'out'));
  return { folder, model, plain, out: join(folder, 'out') };
}

/**
 * @param {ReturnType<typeof llmzip>} run
 * @param {import('../src/core/errors.mjs').ErrorCode} code
 * @param {RegExp} message
 */
function fails(run, code, message) {
  assert.equal(run.status, EXIT_CODES[code], run.stderr);
  assert.match(run.stderr, new RegExp(`^error\\[${code}\\]: `, 'm'));
  assert.match(run.stderr, /^hint: \S/m);
  assert.match(run.stderr, message);
  assert.equal(run.stdout.length, 0);
}

suite('files', () => {
  test('go there and back', (context) => {
    const { model, plain, out } = workplace(context);
    const [container, back] = [join(out, 'container'), join(out, 'back')];
    const written = llmzip(['compress', plain, '-o', container, '--model', model, '--lanes', '3', '--eps', '1e-3']);
    assert.equal(written.status, 0, written.stderr);
    assert.match(written.stderr, /560 bytes to \d+, [\d.]+ bits per byte, 560 tokens coded/);
    assert.equal(llmzip(['decompress', container, '-o', back, '--model', model]).status, 0);
    assert.deepEqual(readFileSync(back), PLAIN);
    assert.deepEqual(readdirSync(out).sort(), ['back', 'container']);
  });

  test('are not replaced without -f', (context) => {
    const { model, plain, out } = workplace(context);
    const container = join(out, 'container');
    writeFileSync(container, 'precious');
    fails(llmzip(['compress', plain, '-o', container, '--model', model]), 'usage', /already there/);
    assert.equal(readFileSync(container, 'utf8'), 'precious');
    assert.equal(llmzip(['compress', plain, '-f', '-o', container, '--model', model]).status, 0);
    assert.notEqual(readFileSync(container, 'utf8'), 'precious');
  });

  test('that are links keep being links', { skip: process.platform === 'win32' }, (context) => {
    const { model, plain, out, folder } = workplace(context);
    const target = join(folder, 'target');
    symlinkSync('../target', join(out, 'second'));
    symlinkSync('second', join(out, 'link'));
    /** @param {string[]} options */
    const check = (...options) => {
      const written = llmzip(['compress', plain, ...options, '-o', join(out, 'link'), '--model', model]);
      assert.equal(written.status, 0, written.stderr);
      assert.equal(readFileSync(target)[0], 0x89);
      assert.deepEqual(
        readdirSync(out, { withFileTypes: true }).map((entry) => entry.isSymbolicLink()),
        [true, true],
      );
    };
    // First to nothing, then to a file.
    check();
    writeFileSync(target, 'old');
    check('-f');
  });

  test('may have names as long as the system allows', (context) => {
    const { model, plain, out } = workplace(context);
    // 255 bytes of UTF-8, but only 85 characters.
    const name = '\u3042'.repeat(85);
    const written = llmzip(['compress', plain, '-o', join(out, name), '--model', model]);
    assert.equal(written.status, 0, written.stderr);
    assert.deepEqual(readdirSync(out), [name]);
  });

  test('may be pipes', (context) => {
    const { model } = workplace(context);
    const written = llmzip(['compress', '-', '-o', '-', '--model', model], { input: PLAIN });
    assert.equal(written.status, 0, written.stderr);
    const read = llmzip(['decompress', '-', '-o', '-', '--model', model], { input: written.stdout });
    assert.equal(read.status, 0, read.stderr);
    assert.deepEqual(read.stdout, PLAIN);
  });

  test('may be descriptors of files', { skip: noBash }, (context) => {
    const { model, plain, out } = workplace(context);
    const command =
      '"$0" "$1" compress - -o - --model "$2" < "$3" > "$4" && "$0" "$1" decompress - -o - --model "$2" < "$4" > "$5"';
    const args = [process.execPath, BIN, model, plain, join(out, 'container'), join(out, 'back')];
    const { status, stderr } = spawnSync('bash', ['-c', command, ...args], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    assert.deepEqual(readFileSync(join(out, 'back')), PLAIN);
  });

  test('of nothing, and of anything', (context) => {
    const { model, folder, out } = workplace(context);
    for (const [i, content] of [
      Buffer.alloc(0),
      Buffer.from([0xff]),
      Buffer.from('Zürich \0\r\n😀'),
      readFileSync(BIN),
    ].entries()) {
      const [plain, container, back] = [join(folder, `plain${i}`), join(out, `container${i}`), join(out, `back${i}`)];
      writeFileSync(plain, content);
      assert.equal(llmzip(['compress', plain, '-o', container, '--model', model, '--frame-bytes', '50']).status, 0);
      assert.equal(llmzip(['decompress', container, '-o', back, '--model', model]).status, 0);
      assert.deepEqual(readFileSync(back), content);
    }
  });
});

suite('exact models', () => {
  /** @param {import('node:test').TestContext} context */
  function exactWorkplace(context) {
    const place = workplace(context);
    writeFileSync(join(place.model, 'onnx/model_exact.onnx'), makeGraph({ metadata: { 'llmzip.exact': '1' } }));
    return place;
  }

  test('are the default, and eps 0 is for them alone', (context) => {
    const { model, plain, out } = exactWorkplace(context);
    const [container, back] = [join(out, 'container'), join(out, 'back')];
    const args = ['compress', plain, '-o', container, '--model', model, '--eps', '0'];
    fails(llmzip([...args, '--variant', 'q4']), 'unsupported', /but the graph does not say that it is exact/);
    assert.deepEqual(readdirSync(out), []);
    const written = llmzip(args);
    assert.equal(written.status, 0, written.stderr);
    const read = llmzip(['decompress', container, '-o', back, '--model', model]);
    assert.equal(read.status, 0, read.stderr);
    assert.deepEqual(readFileSync(back), PLAIN);
  });

  test('are named by inspect', (context) => {
    const { model } = exactWorkplace(context);
    const { stdout } = llmzip(['inspect', '--model', model]);
    assert.match(
      stdout.toString('utf8'),
      /^exact: yes \(the graph says so \(llmzip\.exact 1\) and has only exact ops\)$/m,
    );
  });
});

suite('failures', () => {
  test('of arguments', (context) => {
    const { model, plain, out } = workplace(context);
    const output = join(out, 'it');
    for (const [args, message] of /** @type {[string[], RegExp][]} */ ([
      [[], /no command/],
      [['explode'], /no command explode/],
      [['compress'], /takes one INPUT/],
      [['compress', plain, plain, '-o', output], /takes one INPUT/],
      [['inspect', plain], /takes no INPUT/],
      [['decompress', plain], /does not end in \.llmzip/],
      [['compress', plain, '-o', plain, '-f'], /is the input and the output/],
      [['compress', plain, '-o', '-', '--verify', '--model', model], /--verify reads the output back/],
      [['decompress', plain, '-o', output, '--verify'], /decompress takes no --verify/],
      [['compress', plain, '-o', output, '--lanes', 'many'], /--lanes is many/],
      [['compress', join(out, 'none'), '-o', ''], /--output is empty/],
      [['decompress', join(out, 'none'), '-o', ''], /--output is empty/],
      [['decompress', plain, '-o', output, '--no-verify-sha'], /decompress takes no --no-verify-sha/],
      [['compress', plain, '-o', output, '--lanes', '0'], /--lanes is 0/],
      [['compress', plain, '-o', output, '--lanes', '257', '--model', model], /lanes is 257/],
      [['compress', plain, '-o', output, '--eps', '2'], /eps is "2"/],
      [['compress', plain, '-o', output, '--wat'], /wat/],
      [['decompress', plain, '-o', output, '--eps', '1e-3'], /takes no --eps/],
      [['compress', plain, '-o', output, '--model', model, '--variant', 'q9'], /no variant q9/],
    ])) {
      fails(llmzip(args), 'usage', message);
    }
    assert.deepEqual(readdirSync(out), []);
  });

  test('of model folders', (context) => {
    const { plain, out, folder } = workplace(context);
    const none = join(folder, 'none');
    fails(llmzip(['compress', plain, '-o', join(out, 'it'), '--model', none]), 'usage', /no model folder/);
    fails(llmzip(['compress', plain, '-o', join(out, 'it'), '--model', out]), 'setup', /not a model folder/);
    fails(llmzip(['inspect'], { env: { LLMZIP_MODEL: none } }), 'usage', /no model folder/);
    assert.deepEqual(readdirSync(out), []);
  });

  test('of reading and writing', (context) => {
    const { model, plain, out, folder } = workplace(context);
    fails(llmzip(['compress', join(folder, 'none'), '-o', join(out, 'it'), '--model', model]), 'io', /none/);
    fails(llmzip(['compress', folder, '-o', join(out, 'it'), '--model', model]), 'io', /EISDIR/);
    fails(llmzip(['compress', plain, '-o', join(out, 'no/where'), '--model', model]), 'io', /ENOENT/);
    fails(llmzip(['compress', plain, '-o', join(plain, 'it'), '--model', model]), 'io', /cannot write/);
    const tooLong = join(out, 'x'.repeat(300));
    fails(llmzip(['compress', plain, '-o', tooLong, '--model', model]), 'io', /ENAMETOOLONG|ENOENT/);
    fails(llmzip(['inspect', '--model', join(plain, 'it')]), 'usage', /no model folder/);
    assert.deepEqual(readdirSync(out), []);
  });

  test('of a folder that may not be written to', {
    skip: process.getuid?.() === 0 && 'root may write anywhere',
  }, (context) => {
    const { model, plain, out } = workplace(context);
    chmodSync(out, 0o500);
    fails(llmzip(['compress', plain, '-o', join(out, 'it'), '--model', model]), 'io', /EACCES/);
    chmodSync(out, 0o700);
  });

  test('of a full disk leave no file', { skip: noBash }, (context) => {
    const { model, folder, out } = workplace(context);
    const plain = join(folder, 'large');
    // Nothing that the model has tokens for, so that it is stored; 8 blocks of 1024 bytes are allowed.
    writeFileSync(plain, Buffer.alloc(100_000, 0xff));
    const command = 'trap "" XFSZ; ulimit -f 8; exec "$0" "$1" compress "$2" -o "$3" --model "$4"';
    const args = [process.execPath, BIN, plain, join(out, 'it'), model];
    const { status, stderr } = spawnSync('bash', ['-c', command, ...args], { encoding: 'utf8' });
    assert.equal(status, EXIT_CODES.io, stderr);
    assert.match(stderr, /error\[io\]: cannot write .*EFBIG/);
    assert.deepEqual(readdirSync(out), []);
  });

  test('of a device that is full', { skip: existsSync('/dev/full') ? false : 'there is no /dev/full' }, (context) => {
    const { model, plain } = workplace(context);
    fails(llmzip(['compress', plain, '-o', '/dev/full', '-f', '--model', model]), 'io', /ENOSPC/);
    assert.ok(existsSync('/dev/full'));
  });

  test('of a stdout that takes nothing', { skip: noBash }, (context) => {
    const { model, plain } = workplace(context);
    /** @param {string} redirection @param {string[]} args */
    const redirected = (redirection, ...args) => {
      const command = ['-c', `exec "$0" "$@" ${redirection}`, process.execPath, BIN, ...args];
      const { status, stdout, stderr } = spawnSync('bash', command);
      return { status, stdout, stderr: stderr.toString('utf8') };
    };
    const compress = ['compress', plain, '-o', '-', '--model', model];
    fails(redirected('>&-', ...compress), 'io', /cannot write to stdout: it is closed/);
    fails(redirected('>&-', 'decompress', plain, '-o', '-'), 'io', /cannot write to stdout: it is closed/);
    // Who throws data away knows it.
    assert.equal(redirected('>/dev/null', ...compress).status, 0);
    if (!existsSync('/dev/full')) return;
    fails(redirected('>/dev/full', ...compress), 'io', /cannot write to stdout: ENOSPC/);
    fails(redirected('>/dev/full', '--help'), 'io', /cannot write to stdout: ENOSPC/);
  });

  test('of damage: another kind of file, a cut, a flipped bit', (context) => {
    const { model, plain, out } = workplace(context);
    const [container, back] = [join(out, 'container'), join(out, 'back')];
    fails(llmzip(['decompress', plain, '-o', back, '--model', model]), 'format', /another kind of file/);
    llmzip(['compress', plain, '-o', container, '--model', model, '--frame-bytes', '100']);
    const whole = readFileSync(container);
    const flipped = Buffer.from(whole);
    flipped[flipped.length - 60] ^= 1;
    writeFileSync(container, flipped);
    fails(llmzip(['decompress', container, '-o', back, '--model', model]), 'format', /damaged/);
    writeFileSync(container, whole.subarray(0, whole.length - 40));
    fails(llmzip(['decompress', container, '-o', back, '--model', model]), 'format', /ends after/);
    assert.deepEqual(readdirSync(out), ['container']);
  });

  test('of integrity: a container of another model, a model that the manifest does not know so', (context) => {
    const { model, plain, out, folder } = workplace(context);
    const container = join(out, 'container');
    llmzip(['compress', plain, '-o', container, '--model', model]);
    const other = writeModelFolder(join(folder, 'models', 'other'), { graph: { logit: () => 0 } });
    fails(
      llmzip(['decompress', container, '-o', join(out, 'back'), '--model', other.folder]),
      'integrity',
      new RegExp(other.model),
    );
    writeFileSync(
      join(folder, 'models', 'manifest.toml'),
      `version = 1
[[model]]
name = "small"
folder = "small"
source = "made here"
licence = "MIT"
tokenizer = "tokenizer.json"
window = 8
overlap = 2
start_token = 1
[[model.variant]]
dtype = "q4"
file = "onnx/model_q4.onnx"
activation = "float32"
eps = "1e-3"
[[model.file]]
path = "onnx/model_q4.onnx"
sha256 = "${'0'.repeat(64)}"
`,
    );
    fails(llmzip(['compress', plain, '-o', join(out, 'it'), '--model', model]), 'integrity', /expected is 0{64}/);
    const unverified = llmzip(['compress', plain, '-o', join(out, 'it'), '--model', model, '--no-verify-sha']);
    assert.equal(unverified.status, 0, unverified.stderr);
    assert.match(unverified.stderr, /warning: --no-verify-sha: .*held to no SHA-256; it has [0-9a-f]{64}/);
    writeFileSync(join(folder, 'models', 'manifest.toml'), 'version = 2');
    fails(llmzip(['inspect', '--model', model]), 'setup', /it has version 2/);
  });

  test('of a person who has enough leave no file', { skip: noBash }, async (context) => {
    const { model, folder, out } = workplace(context);
    const plain = join(folder, 'long');
    writeFileSync(plain, 'abcdef '.repeat(2 ** 20));
    const args = [BIN, 'compress', plain, '-o', join(out, 'it'), '--model', model, '--frame-bytes', '65536'];
    // A group of its own, as a terminal makes it: Ctrl-C reaches every process of it.
    const child = spawn(process.execPath, args, { detached: true, stdio: 'ignore' });
    while (readdirSync(out).length === 0) {
      assert.equal(child.exitCode, null, 'it ended before it began to write');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    process.kill(-(/** @type {number} */ (child.pid)), 'SIGINT');
    const [code] = await once(child, 'exit');
    assert.equal(code, EXIT_CODES.interrupted);
    assert.deepEqual(readdirSync(out), []);
  });

  test('of a person who has enough before it has started', { skip: noBash }, async (context) => {
    const { model, folder, plain, out } = workplace(context);
    const [halt, started] = [join(folder, 'halt.mjs'), join(folder, 'started')];
    // The process that does the work stops before its first line; its launcher does not.
    writeFileSync(
      halt,
      `import { writeFileSync } from 'node:fs';
if (process.argv[1].endsWith('main.mjs')) {
  writeFileSync(process.env.STARTED, '');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
`,
    );
    const args = [
      '--import',
      pathToFileURL(halt).href,
      BIN,
      'compress',
      plain,
      '-o',
      join(out, 'it'),
      '--model',
      model,
    ];
    for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
      const child = spawn(process.execPath, args, { env: { ...process.env, STARTED: started } });
      const stderr = text(child.stderr);
      while (!existsSync(started)) {
        assert.equal(child.exitCode, null, 'it ended before it started');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      rmSync(started);
      child.kill(signal);
      const [code] = await once(child, 'exit');
      assert.equal(code, EXIT_CODES.interrupted);
      assert.equal(await stderr, 'error[interrupted]: interrupted\nhint: nothing was written; run it again\n');
      assert.deepEqual(readdirSync(out), []);
    }
  });
});

suite('inspect', () => {
  test('prints what the graph declares', (context) => {
    const { model } = workplace(context);
    const { status, stdout, stderr } = llmzip(['inspect', '--model', model]);
    assert.equal(status, 0, stderr);
    assert.equal(
      stdout.toString('utf8'),
      `model: small, onnx/model_q4.onnx
provider: cpu
batch: dynamic (the batch dimension of all 4 inputs and outputs is symbolic)
exact: no (the graph does not say that it is exact)
opset: ai.onnx 17
inputs:
  input_ids              int64     [batch_size, sequence_length]
  past_key_values.0.key  float32   [batch_size, 1, past_sequence_length, 2]
outputs:
  logits         float32   [batch_size, sequence_length, 8]
  present.0.key  float32   [batch_size, 1, total_sequence_length, 2]
ops:
       2  Cast
       2  Concat
       1  Gather
       1  Unsqueeze
`,
    );
    assert.match(stderr, /no manifest knows/);
  });

  test('prints JSON', (context) => {
    const { model } = workplace(context);
    const { stdout } = llmzip(['inspect', '--json', '--model', model]);
    const { batch_policy: policy, exactness } = JSON.parse(stdout.toString('utf8'));
    assert.equal(policy.batch, 'dynamic');
    assert.deepEqual(exactness, { exact: false, reason: 'the graph does not say that it is exact' });
  });

  test('help goes to stdout', () => {
    const { status, stdout } = llmzip(['--help']);
    assert.equal(status, 0);
    assert.match(stdout.toString('utf8'), /llmzip compress INPUT \[-o OUTPUT\]/);
  });
});

suite('tiny model', { skip: withoutTiny }, () => {
  test('1 to 250, on every variant, found again by its hash', (context) => {
    const folder = temporaryFolder(context);
    const plain = Buffer.from(Array.from({ length: 250 }, (_, i) => i + 1).join('\n'));
    for (const variant of TINY_VARIANTS) {
      const container = join(folder, variant);
      const written = llmzip(
        ['compress', '-', '-o', container, '--variant', variant, '--lanes', '16', '--model', TINY],
        { input: plain },
      );
      assert.equal(written.status, 0, written.stderr);
      const read = llmzip(['decompress', container, '-o', '-', '--model', TINY]);
      assert.equal(read.status, 0, read.stderr);
      assert.deepEqual(read.stdout, plain);
    }
  });

  test('a copy that is damaged is refused', (context) => {
    const folder = temporaryFolder(context);
    cpSync(join(TINY, '..', 'manifest.toml'), join(folder, 'manifest.toml'));
    cpSync(TINY, join(folder, 'tiny'), { recursive: true });
    const file = join(folder, 'tiny', 'tokenizer.json');
    writeFileSync(file, `${readFileSync(file, 'utf8')} `);
    fails(llmzip(['inspect', '--model', join(folder, 'tiny')]), 'integrity', /tokenizer\.json has SHA-256/);
  });
});
