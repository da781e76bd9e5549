/**
 * Faults and the codes that tell them apart, by the table that all three languages are held to; harness/tests/errors.rs says how it is read.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { EXIT_CODES } from '../src/core/errors.mjs';
import { sha256Hex } from '../src/core/model/provenance.mjs';
import { readCases } from './support/cases.mjs';
import { TINY, temporaryFolder, withoutTiny } from './support/model-folder.mjs';
import { BIN, startRunner } from './support/runner.mjs';

/** @typedef {Record<string, any>} Members */

const PACKED = new URL('../../golden/tiny/q4/one-byte.llmzip', import.meta.url);
const TABLE = readCases('errors.json');

/**
 * Links need a right on Windows that not everybody has.
 *
 * @param {Members} case
 */
const cannotBe = ({ links }) => links !== undefined && process.platform === 'win32';

/**
 * The folder of a case.
 *
 * @param {import('node:test').TestContext} context
 * @param {Members} case
 * @returns {string}
 */
function prepare(context, { model = {}, links = {}, manifest }) {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, 'plain'), '1\n2\n3\n');
  cpSync(PACKED, join(folder, 'packed'));
  mkdirSync(join(folder, 'models', 'tiny', 'onnx'), { recursive: true });
  for (const name of ['config.json', 'tokenizer.json', 'onnx/model_q4.onnx']) {
    cpSync(join(TINY, name), join(folder, 'models', 'tiny', name));
  }
  for (const [name, to] of Object.entries(links)) symlinkSync(to, join(folder, name));
  for (const [name, change] of Object.entries(model)) {
    const path = join(folder, 'models', 'tiny', name);
    if (change === null) rmSync(path);
    else if (typeof change === 'string') writeFileSync(path, change);
    else writeFileSync(path, JSON.stringify(changed(JSON.parse(readFileSync(path, 'utf8')), change)));
  }
  const content = Array.isArray(manifest) ? TABLE.manifest.join('\n').replace(...manifest) : manifest;
  if (content !== undefined) writeFileSync(join(folder, 'models', 'manifest.toml'), content);
  return folder;
}

/**
 * An object with other members; null takes one away, and what is no object takes its place.
 *
 * @param {Members} whole
 * @param {Members} members
 * @returns {Members}
 */
function changed(whole, members) {
  if (Array.isArray(members)) return members;
  const all = Object.entries({ ...whole, ...members });
  return Object.fromEntries(all.filter(([name, value]) => !(name in members) || value !== null));
}

/**
 * A value of the table with what it stands for in this folder.
 *
 * @param {string} folder
 * @param {any} value
 * @returns {any}
 */
function inFolder(folder, value) {
  if (typeof value === 'string' && value.startsWith('SHA256 ')) {
    const path = join(folder, 'models', 'tiny', value.slice('SHA256 '.length));
    return existsSync(path) ? sha256Hex(readFileSync(path)) : '0'.repeat(64);
  }
  if (typeof value === 'string') return value.replace('FOLDER', () => folder);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, inFolder(folder, each)]));
}

suite('errors', { skip: withoutTiny }, () => {
  test('of requests', async (context) => {
    const runner = startRunner(context);
    const { defaults, cases } = TABLE.requests;
    for (const { op, params = {}, unloaded, code, ...each } of cases) {
      await context.test(`${op}: ${each.fault}`, { skip: cannotBe(each) }, async (inner) => {
        const folder = prepare(inner, each);
        const load = inFolder(folder, defaults.load);
        if (unloaded) assert.equal(await runner.codeOf('load', { ...load, model_sha256: '0'.repeat(64) }), 'integrity');
        else if (!['hello', 'load'].includes(op)) assert.equal(await runner.codeOf('load', load), null);
        assert.equal(await runner.codeOf(op, inFolder(folder, changed(defaults[op] ?? {}, params))), code);
      });
    }
  });

  for (const each of TABLE.commands) {
    test(`of a command, ${each.fault}: ${each.arguments.join(' ')}`, { skip: cannotBe(each) }, (context) => {
      const folder = prepare(context, each);
      const words = each.arguments.map((/** @type {string} */ word) => inFolder(folder, word));
      const { status, stderr } = spawnSync(process.execPath, [BIN, ...words], { encoding: 'utf8' });
      const code = /** @type {keyof typeof EXIT_CODES | null} */ (each.code);
      assert.equal(status, code === null ? 0 : EXIT_CODES[code], stderr);
      if (code === null) return;
      assert.ok(stderr.includes(`error[${code}]: `), stderr);
      assert.ok(!existsSync(join(folder, 'out')));
    });
  }
});
