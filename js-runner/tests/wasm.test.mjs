/** The same graph in native code and in WebAssembly: an exact graph gives the same bits, any other need not. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { openWasmSession } from 'llmzip/web';
import { rowsOfKnownTokens } from '../src/core/model/context.mjs';
import { SessionSource } from '../src/core/model/session.mjs';
import { readSignature } from '../src/core/model/signature.mjs';
import { loadModel } from '../src/node/loader.mjs';
import { TINY, withoutTiny } from './support/model-folder.mjs';

/** @typedef {import('../src/core/model/context.mjs').Plan} Plan */
/** @typedef {import('../src/core/model/source.mjs').LogitsSource} LogitsSource */

const TEXT = '1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\nThe value is {"id": 17, "name": "seven"}; 2024-02-29.';
// Small enough that the text fills several windows.
const POLICY = { startToken: 0, window: 24, overlap: 8 };
/** @type {Record<string, Plan>} */
const PLANS = {
  prefill: { lanes: 1, chunk: 128 },
  chunks: { lanes: 1, chunk: 5 },
  step: { lanes: 1, chunk: 1 },
  lanes: { lanes: 4, chunk: 1 },
  'lanes-prefill': { lanes: 4, chunk: 64 },
};

/**
 * One digest for every row's bits, in the order of the tokens.
 *
 * @param {LogitsSource} source
 * @param {Plan} plan
 * @param {Uint32Array} ids
 */
async function digests(source, plan, ids) {
  /** @type {string[]} */
  const found = [];
  for await (const { index, logits } of rowsOfKnownTokens(source, POLICY, plan, ids)) {
    const bytes = new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength);
    found[index] = createHash('sha256').update(bytes).digest('hex');
  }
  assert.equal(found.length, ids.length);
  return found;
}

/**
 * A variant of the tiny model, twice.
 *
 * @param {import('node:test').TestContext} context at whose end they are gone
 * @param {string} variant
 */
async function open(context, variant) {
  const file = `onnx/model_${variant}.onnx`;
  const native = await loadModel(TINY, file);
  context.after(() => native.dispose());
  const bytes = readFileSync(join(TINY, file));
  const config = JSON.parse(readFileSync(join(TINY, 'config.json'), 'utf8'));
  const ids = Uint32Array.from(native.tokenizer.encode(TEXT));
  assert.ok(ids.length > 2 * POLICY.window);
  /** @param {import('../src/web/session.mjs').WasmOptions} [options] */
  const wasm = async (options) => {
    const session = await openWasmSession(bytes, options);
    context.after(() => session.dispose());
    const signature = readSignature(session.inputs, session.outputs, config);
    return new SessionSource(session, signature, native.inspection.exactness);
  };
  return { native: native.source, wasm, ids };
}

suite('native code and WebAssembly', { skip: withoutTiny }, () => {
  /**
   * @param {string} variant
   * @param {(native: string[], wasm: string[], plan: string) => void} compare
   */
  const check = (variant, compare) =>
    test(variant, async (context) => {
      const { native, wasm, ids } = await open(context, variant);
      const source = await wasm();
      for (const [name, plan] of Object.entries(PLANS)) {
        compare(await digests(native, plan, ids), await digests(source, plan, ids), name);
      }
    });

  check('exact', (native, wasm, plan) => assert.deepEqual(wasm, native, plan));
  // The two engines are really two: their float kernels differ in some bit.
  check('q4', (native, wasm, plan) => assert.notDeepEqual(wasm, native, plan));
  check('q4f16', (native, wasm, plan) => assert.notDeepEqual(wasm, native, plan));

  test('every level of graph optimisation gives the exact graph the same bits', async (context) => {
    const { native, wasm, ids } = await open(context, 'exact');
    const expected = await digests(native, PLANS.prefill, ids);
    for (const graphOptimization of /** @type {const} */ (['disabled', 'basic', 'extended', 'all'])) {
      const source = await wasm({ graphOptimization });
      assert.deepEqual(await digests(source, PLANS.chunks, ids), expected, graphOptimization);
    }
  });
});
