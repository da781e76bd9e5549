/** What transformers.js is given instead of files. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { withFiles } from '../src/core/model/verified-files.mjs';

/** @returns {any} what is used of the library */
function library() {
  return { env: {}, LogLevel: { ERROR: 40 } };
}

suite('verified files', () => {
  test('are handed on without a copy while the work lasts, and nothing else is found', async () => {
    const lib = library();
    const model = new Uint8Array([1, 2, 3]);
    // Of a kind whose own `slice` makes no copy.
    const part = Buffer.from([9, 4, 5, 9]).subarray(1, 3);
    const found = await withFiles(lib, { 'onnx/model.onnx': model, 'config.json': part }, async () => {
      const match = lib.env.customCache.match;
      assert.equal(await match('/verified/model/other.json'), undefined);
      const response = await match('/verified/model/onnx/model.onnx');
      assert.ok(response instanceof Response);
      assert.equal(response.status, 200);
      assert.equal(await response.arrayBuffer(), model.buffer);
      // Of a larger buffer only the file.
      const config = await match('/verified/model/config.json');
      assert.deepEqual(new Uint8Array(await config.arrayBuffer()), new Uint8Array([4, 5]));
      return 'the result';
    });
    assert.equal(found, 'the result');
    assert.equal(await lib.env.customCache.match('/verified/model/onnx/model.onnx'), undefined);
  });

  test('are not kept when the work fails', async () => {
    const lib = library();
    const work = async () => {
      throw new Error('no session');
    };
    await assert.rejects(withFiles(lib, { 'config.json': new Uint8Array(1) }, work), /no session/);
    assert.equal(await lib.env.customCache.match('/verified/model/config.json'), undefined);
  });
});
