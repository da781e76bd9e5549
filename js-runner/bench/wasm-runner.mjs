/**
 * A runner for benchmarks: the library in Node, its graphs in onnxruntime-web's WebAssembly, as a browser runs them but without one.
 *
 * `llmzip bench --runner node-wasm="node js-runner/bench/wasm-runner.mjs"` times it beside the others. Owns what the Node runner's host gets
 * in place of onnxruntime-node; answers nothing itself.
 *
 * @module
 */

import { CPU, loadModelWith } from '../src/core/model/load.mjs';
import { Operations } from '../src/core/runner/operations.mjs';
import { DataStream } from '../src/node/data-stream.mjs';
import { FOLDER } from '../src/node/loader.mjs';
import { NODE_HOST } from '../src/node/runner/host.mjs';
import { serve } from '../src/node/runner/loop.mjs';
import { libraryVersions, openTokenizer } from '../src/node/transformers.mjs';
import { webEngine } from '../src/web/engine.mjs';
import { openWasmSession, runtime } from '../src/web/session.mjs';

/** @typedef {import('../src/core/model/load.mjs').Engine<import('../src/web/engine.mjs').OpenSession>} Engine */

const STDOUT = 1;
// What a library prints must not come between the replies, which are written to the descriptor.
process.stdout.write = process.stderr.write.bind(process.stderr);

// transformers.js names a place in the network for the build's files, which lie in its package.
delete runtime.env.wasm.wasmPaths;

// The provider that requests name; what it is in this build is the processor too.
const web = webEngine({ runtime, open: openWasmSession, provider: CPU });
/** @type {Engine} */
const engine = {
  ...web,
  openTokenizer,
  versions: async () => {
    const [{ runtime: version }, { tokenizer }] = await Promise.all([web.versions(), libraryVersions()]);
    return { runtime: version, tokenizer };
  },
};

/** @type {import('../src/core/runner/operations.mjs').RunnerHost} */
const host = {
  ...NODE_HOST,
  name: 'node-wasm',
  fingerprint: (settings, versions) => ({
    ...NODE_HOST.fingerprint(settings, versions),
    runtime: 'onnxruntime-web',
    arch: 'wasm',
  }),
  loadModel: (modelDir, modelFile, settings, expected) =>
    loadModelWith(FOLDER, engine, modelDir, modelFile, settings, expected),
};

await serve(process.stdin, DataStream.open(STDOUT), new Operations(host));
// The threads of WebAssembly would keep the process.
process.exit(0);
