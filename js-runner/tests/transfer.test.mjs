/** `compress` and `decompress` as a user of other compressors knows them: names, what is kept and what goes, verification, lanes. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { compress } from '../src/core/compressor/encode.mjs';
import { autoLanes, lanesOf } from '../src/core/compressor/lanes.mjs';
import { HashedInput, verify } from '../src/core/compressor/verify.mjs';
import { parseEps } from '../src/core/container/eps.mjs';
import { DivergenceError, FormatError, InternalError, UsageError } from '../src/core/errors.mjs';
import { sha256Hex } from '../src/core/model/provenance.mjs';
import { outputName } from '../src/node/places.mjs';
import { progressLine } from '../src/node/talk.mjs';
import { readCases } from './support/cases.mjs';
import { temporaryFolder, writeModelFolder } from './support/model-folder.mjs';
import { BIN } from './support/runner.mjs';
import { compressBytes } from './support/streams.mjs';
import { syntheticModel } from './support/synthetic.mjs';

const PLAIN = Buffer.from('abcdef fedcba\n'.repeat(9));
const SETTINGS = { eps: parseEps('5e-5'), policy: { startToken: 0, window: 16, overlap: 4 } };
const TEXT = Buffer.from('the 10 and 10 ing, compress the \n日本 and 😀, '.repeat(3));

/** @param {import('node:test').TestContext} context */
function workplace(context) {
  const folder = temporaryFolder(context);
  const { folder: model } = writeModelFolder(join(folder, 'models', 'small'));
  const place = temporaryFolder(context);
  const plain = join(place, 'plain');
  writeFileSync(plain, PLAIN);
  /**
   * @param {string[]} args
   * @param {Uint8Array} [input]
   */
  const run = (args, input) => {
    const all = [BIN, ...args, ...(args[0] === 'info' ? [] : ['--model', model])];
    const { status, stdout, stderr } = spawnSync(process.execPath, all, { ...(input && { input }) });
    return { status, stdout, stderr: stderr.toString('utf8') };
  };
  /** @param {string[]} args */
  const ok = (...args) => {
    const ended = run(args);
    assert.equal(ended.status, 0, ended.stderr);
    return ended.stderr;
  };
  return { place, plain, container: `${plain}.llmzip`, run, ok, names: () => readdirSync(place).sort() };
}

suite('names', () => {
  test('follow as the table says', () => {
    const { cases } = readCases('outputs.json');
    assert.ok(cases.length > 8);
    for (const { command, input, output } of cases) {
      if (output === null) assert.throws(() => outputName(command, input), UsageError, input);
      else assert.equal(outputName(command, input), output);
    }
  });

  test('are used, and the input stays', (context) => {
    const { plain, container, run, ok, names } = workplace(context);
    ok('compress', plain);
    assert.deepEqual(names(), ['plain', 'plain.llmzip']);
    assert.match(run(['compress', plain, '-k']).stderr, /is already there/);
    assert.match(run(['decompress', container]).stderr, /is already there/);
    writeFileSync(plain, 'another');
    assert.equal(ok('decompress', container, '-f', '-q'), '');
    assert.deepEqual(readFileSync(plain), PLAIN);
    assert.deepEqual(names(), ['plain', 'plain.llmzip']);
  });

  test('of a pipe are a pipe', (context) => {
    const { run } = workplace(context);
    const packed = run(['compress', '-'], PLAIN);
    assert.equal(packed.status, 0, packed.stderr);
    assert.deepEqual(run(['decompress', '-'], packed.stdout).stdout, PLAIN);
  });
});

suite('an input', () => {
  test('goes when it is asked for and the output is complete', (context) => {
    const { place, plain, container, run, ok, names } = workplace(context);
    assert.match(ok('compress', plain, '--rm', '--verify'), /tokens coded, verified\n$/);
    assert.deepEqual(names(), ['plain.llmzip']);
    // A failure keeps it.
    const bad = join(place, 'bad.llmzip');
    writeFileSync(bad, readFileSync(container).subarray(0, -1));
    assert.equal(run(['decompress', bad, '--rm']).status, 1);
    assert.deepEqual(names(), ['bad.llmzip', 'plain.llmzip']);
    // The last word counts.
    ok('decompress', container, '--rm', '--keep');
    assert.deepEqual(names(), ['bad.llmzip', 'plain', 'plain.llmzip']);
    ok('decompress', container, '-f', '-k', '--rm');
    assert.deepEqual(names(), ['bad.llmzip', 'plain']);
    assert.deepEqual(readFileSync(plain), PLAIN);
  });

  test('stays where no file takes its place', { skip: process.platform === 'win32' }, (context) => {
    const { place, plain, run, ok, names } = workplace(context);
    for (const output of ['-', '/dev/null']) {
      assert.match(ok('compress', plain, '-o', output, '--rm'), /^note: --rm removes nothing/);
    }
    const link = join(place, 'link');
    symlinkSync(plain, link);
    assert.match(run(['compress', link, '-o', plain, '-f', '--rm']).stderr, /is the input and the output/);
    assert.deepEqual(names(), ['link', 'plain']);
    assert.deepEqual(readFileSync(plain), PLAIN);
  });
});

suite('verification', () => {
  const plain = { bytes: TEXT.length, sha256: sha256Hex(TEXT) };
  const model = () => syntheticModel({ favours: TEXT.toString() });

  test('hashes what is read and decodes what was written', async () => {
    const input = new HashedInput([TEXT.subarray(0, 5), TEXT.subarray(5)]);
    /** @type {Uint8Array[]} */
    const container = [];
    await compress(input, (bytes) => void container.push(bytes.slice()), model(), SETTINGS);
    assert.deepEqual(input.finish(), plain);
    let rows = 0;
    await verify(container, plain, model(), (done) => {
      rows = done;
    });
    assert.ok(rows > 0);
  });

  test('tells of other logits, of damage and of other bytes', async () => {
    const { container } = await compressBytes(TEXT, model(), SETTINGS);
    const other = syntheticModel({ favours: TEXT.toString(), spread: 9 });
    const words = { message: /^what was written does not decode, and was not kept: / };
    await assert.rejects(verify([container], plain, other), (error) => {
      assert.ok(error instanceof DivergenceError);
      assert.match(error.message, words.message);
      return true;
    });
    const damaged = container.slice();
    damaged[damaged.length >> 1] ^= 1;
    await assert.rejects(verify([damaged], plain, model()), (error) => {
      assert.ok(error instanceof FormatError);
      assert.match(error.message, words.message);
      return true;
    });
    await assert.rejects(verify([container], { ...plain, sha256: '00'.repeat(32) }, model()), InternalError);
    await assert.rejects(verify([container], { ...plain, bytes: 1 }, model()), InternalError);
  });
});

test('lanes follow as the table says', async () => {
  const { cases } = readCases('lanes.json');
  assert.ok(cases.length > 10);
  for (const { tokens, lanes } of cases) {
    assert.equal(autoLanes(tokens), lanes, `${tokens}`);
    assert.equal(lanesOf('auto', tokens), lanes);
    assert.equal(lanesOf(3, tokens), 3);
  }
  const short = await compressBytes(TEXT, syntheticModel(), SETTINGS);
  const one = await compressBytes(TEXT, syntheticModel(), { ...SETTINGS, lanes: 1 });
  assert.deepEqual(short.container, one.container);
});

test('progress is told as the table says', () => {
  const { cases } = readCases('progress.json');
  assert.ok(cases.length > 8);
  for (const { what, place, size, tokens, seconds, line } of cases) {
    assert.equal(progressLine(what, place, size ?? undefined, tokens, seconds), line);
  }
});
