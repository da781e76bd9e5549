/** What a line may hold, by the table that all three languages are held to. harness/tests/lines.rs says how it is read. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCases } from './support/cases.mjs';
import { startRunner } from './support/runner.mjs';

/**
 * The bytes of a line, without its end.
 *
 * @param {any} line
 * @returns {Buffer}
 */
function bytesOf(line) {
  if (typeof line === 'string') return Buffer.from(line);
  if (Array.isArray(line)) return Buffer.concat(line.map(bytesOf));
  if (typeof line.hex === 'string') return Buffer.from(line.hex, 'hex');
  return Buffer.from(line.repeat.repeat(line.times));
}

test('lines are answered as the table says', async (context) => {
  const runner = startRunner(context);
  for (const { what, line, id, code } of readCases('lines.json')) {
    runner.write(bytesOf(line));
    runner.write('\n');
    const reply = await runner.receive();
    assert.deepEqual([reply.id, reply.error?.code ?? null], [id, code], `${what}: ${JSON.stringify(reply)}`);
  }
});
