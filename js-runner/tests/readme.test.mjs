/** What README.md shows of the library runs as it stands there. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const HOME = fileURLToPath(new URL('..', import.meta.url));

test('the examples of README run', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8').replaceAll('\r\n', '\n');
  const examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
  // That of WebAssembly goes on from what its reader has.
  const whole = examples.filter((code) => code.includes("from 'llmzip';"));
  assert.ok(whole.length >= 2 && whole.some((code) => code.includes('compress(')));
  for (const code of whole) {
    const ended = spawnSync(process.execPath, ['--input-type=module', '--eval', code], { cwd: HOME, encoding: 'utf8' });
    assert.equal(ended.status, 0, `${code}\n${ended.stderr}`);
  }
});
