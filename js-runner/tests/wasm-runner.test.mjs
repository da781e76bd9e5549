/** The runner that benchmarks have WebAssembly in Node by: it is the library, and it is not onnxruntime-node. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runtime } from '../src/web/session.mjs';
import { hashesOf, TINY, temporaryFolder, withoutTiny } from './support/model-folder.mjs';
import { startRunner } from './support/runner.mjs';

const PROGRAM = fileURLToPath(new URL('../bench/wasm-runner.mjs', import.meta.url));
const EXACT = 'onnx/model_exact.onnx';
const POLICY = { start_token: 0, window: 64, overlap: 16 };

test('writes the bytes that onnxruntime-node does, and times itself', { skip: withoutTiny }, async (context) => {
  const folder = temporaryFolder(context);
  const { model, tokenizer } = hashesOf(TINY, EXACT);
  const load = {
    model_dir: TINY,
    model_file: EXACT,
    model_sha256: model,
    tokenizer_sha256: tokenizer,
    threads: 1,
    provider: 'cpu',
    graph_optimization: 'all',
  };
  const input = join(folder, 'input');
  writeFileSync(input, Array.from({ length: 60 }, (_, i) => `${i}\n`).join(''));
  const containers = [];
  for (const program of [undefined, [PROGRAM]]) {
    const runner = startRunner(context, { ...(program && { program }) });
    const { result: hello } = await runner.ask('hello', { protocol: 1 });
    const { result: loaded, error } = await runner.ask('load', load);
    assert.ok(loaded, JSON.stringify(error));
    assert.equal(hello.name, program ? 'node-wasm' : 'node');
    assert.equal(loaded.fingerprint.runtime, program ? 'onnxruntime-web' : 'onnxruntime');
    // The engine's own word.
    assert.equal(loaded.fingerprint.runtime_version === runtime.env.versions.web, Boolean(program));
    assert.equal(loaded.fingerprint.arch === 'wasm', Boolean(program));
    const output = join(folder, hello.name);
    const how = { input_file: input, eps: '0', ...POLICY, lanes: 3 };
    const written = await runner.ask('compress', { ...how, output_file: output, frame_bytes: 1 << 20 });
    assert.ok(written.result, JSON.stringify(written.error));
    containers.push(readFileSync(output));
    const timed = await runner.ask('bench', { ...how, runs: 1 });
    assert.equal(timed.result?.container_bytes, containers[0].length, JSON.stringify(timed.error));
    await runner.ask('bye');
    assert.equal(await runner.exit, 0);
  }
  assert.deepEqual(containers[1], containers[0]);
});
