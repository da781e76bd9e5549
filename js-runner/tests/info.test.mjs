/** `info` by the table that all three languages are held to; its form is said in harness/tests/cases/make_info.py. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readInfo } from '../src/core/container/info.mjs';
import { writeStoredFrame } from '../src/core/container/layout.mjs';
import { FormatError } from '../src/core/errors.mjs';
import { formatInfo, infoView } from '../src/node/info.mjs';
import { findName } from '../src/node/records.mjs';
import { readCases } from './support/cases.mjs';
import { BIN } from './support/runner.mjs';

const GOLDEN = new URL('../../golden/', import.meta.url);
const { cases: CASES } = readCases('info.json');

/** @param {any} bytes of a case */
function container({ file, hex, cut, flip, append = '' }) {
  if (hex !== undefined) return Buffer.from(hex, 'hex');
  const content = readFileSync(new URL(file, GOLDEN)).subarray(0, cut);
  if (flip !== undefined) content[(flip + content.length) % content.length] ^= 1;
  return Buffer.concat([content, Buffer.from(append, 'hex')]);
}

suite('info', () => {
  test('tells what the table says', async () => {
    assert.ok(CASES.length > 40);
    for (const { view, text, code, ...made } of CASES) {
      const name = JSON.stringify(made).slice(0, 100);
      const pieces = [container(made)];
      if (code !== undefined) {
        await assert.rejects(readInfo(pieces), { code }, name);
        continue;
      }
      const info = await readInfo(pieces);
      const model = findName(info.preamble.modelSha256);
      assert.deepEqual(infoView(info, model), view, name);
      assert.deepEqual(Object.keys(infoView(info, model)), Object.keys(view), name);
      assert.deepEqual(formatInfo(info, model).split('\n'), text, name);
    }
  });

  test('is a command for files and pipes', () => {
    const path = fileURLToPath(new URL('tiny/q4/crlf.llmzip', GOLDEN));
    const [{ view, text }] = CASES.filter((/** @type {any} */ each) => each.file === 'tiny/q4/crlf.llmzip');
    /**
     * @param {string[]} args
     * @param {Uint8Array} [input]
     */
    const run = (args, input) =>
      spawnSync(process.execPath, [BIN, 'info', ...args], { ...(input && { input }), encoding: 'utf8' });
    const json = run([path, '--json']);
    assert.deepEqual([json.status, JSON.parse(json.stdout), json.stderr], [0, view, '']);
    assert.equal(json.stdout.startsWith('{\n  "version": 1,\n'), true);
    assert.deepEqual(run(['-'], readFileSync(path)).stdout.trimEnd().split('\n'), text);
    const damaged = run(['-'], readFileSync(path).subarray(0, 100));
    assert.deepEqual([damaged.status, damaged.stdout], [1, '']);
    assert.match(damaged.stderr, /^error\[format\]: .*\nhint: \S/);
    assert.match(run([`${path}.none`]).stderr, /^error\[io\]: /);
  });

  test('reads a long container to the fault at its end', async () => {
    const head = readFileSync(new URL('tiny/exact/empty.llmzip', GOLDEN)).subarray(0, -33);
    function* pieces() {
      yield head;
      for (let i = 0; i < 2000; i++) yield writeStoredFrame(new Uint8Array(4096));
      yield Uint8Array.of(9);
    }
    await assert.rejects(readInfo(pieces()), (error) => error instanceof FormatError && /kind 9/.test(error.message));
  });
});
