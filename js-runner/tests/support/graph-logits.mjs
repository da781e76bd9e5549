/**
 * Runs graphs in one JavaScript build of ONNX Runtime, for tests in other languages: `node graph-logits.mjs BUILD`, where BUILD is `node`,
 * `plain` or `asyncify`. The latter two are builds of onnxruntime-web, with WASM kernels on one thread.
 *
 * Owns the driving of a session by what its graph declares. A line of JSON on stdin is a request, a line on stdout its answer, in order:
 * `{ graph, data, ids, passes, rows }` loads the file `graph` with the weights in the files `data` beside it, feeds `ids` [batch][n] in
 * passes of these lengths and writes the logits of all passes to the file `rows`, float32 [pass][batch][length][vocab]. Without `ids` the
 * session is only made. The answer is `{}`, or `{ error }`.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';

/** @typedef {import('onnxruntime-common').InferenceSession} InferenceSession */
/** @typedef {import('onnxruntime-common').InferenceSession.ValueMetadata} ValueMetadata */
/** @typedef {import('onnxruntime-common').Tensor} Tensor */
/** @typedef {{ graph: string, data?: string[], ids?: number[][], passes?: number[], rows?: string }} Request */
/** @typedef {Pick<typeof import('onnxruntime-common'), 'InferenceSession' | 'Tensor' | 'env'>} Runtime */

const BUILDS = {
  node: { module: 'onnxruntime-node', provider: 'cpu' },
  plain: { module: 'onnxruntime-web/wasm', provider: 'wasm' },
  asyncify: { module: 'onnxruntime-web/webgpu', provider: 'wasm' },
};
/** @type {Record<string, (size: number) => Float32Array | Uint16Array | Uint8Array>} */
const CACHES = {
  float32: (size) => new Float32Array(size),
  float16: (size) => new Uint16Array(size),
  uint8: (size) => new Uint8Array(size),
};

const { module, provider } = BUILDS[/** @type {keyof typeof BUILDS} */ (process.argv[2])];
const runtime = /** @type {Runtime} */ (await import(module));
runtime.env.wasm.numThreads = 1;
runtime.env.logLevel = 'error';

for await (const line of createInterface({ input: process.stdin })) {
  /** @type {Request} */
  const request = JSON.parse(line);
  let answer = {};
  try {
    await answerTo(request);
  } catch (cause) {
    answer = { error: cause instanceof Error ? cause.message : String(cause) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** @param {Request} request */
async function answerTo({ graph, data = [], ids, passes = [], rows }) {
  const session = await runtime.InferenceSession.create(readFileSync(graph), {
    executionProviders: [provider],
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
    ...(data.length > 0 && { externalData: data.map((path) => ({ path: basename(path), data: readFileSync(path) })) }),
  });
  try {
    if (ids !== undefined && rows !== undefined) writeFileSync(rows, await logits(session, ids, passes));
  } finally {
    await session.release();
  }
}

/**
 * @param {InferenceSession} session
 * @param {number[][]} ids
 * @param {number[]} passes
 */
async function logits(session, ids, passes) {
  const batch = ids.length;
  const caches = session.inputMetadata.filter(({ name }) => name.startsWith('past_key_values.'));
  /** @type {Record<string, Tensor>} */
  let past = Object.fromEntries(caches.map((cache) => [cache.name, emptyCache(cache, batch)]));
  const found = [];
  let at = 0;
  for (const length of passes) {
    const total = at + length;
    const inputs = {
      input_ids: int64(ids.map((lane) => lane.slice(at, total))),
      attention_mask: int64(ids.map(() => Array(total).fill(1))),
      position_ids: int64(ids.map(() => Array.from({ length }, (_, index) => at + index))),
    };
    const known = Object.entries(inputs).filter(([name]) => session.inputNames.includes(name));
    const outputs = await session.run({ ...Object.fromEntries(known), ...past });
    found.push(Buffer.from(/** @type {Float32Array} */ (outputs.logits.data).slice().buffer));
    past = Object.fromEntries(
      Object.keys(past).map((name) => [name, outputs[name.replace('past_key_values', 'present')]]),
    );
    at = total;
  }
  return Buffer.concat(found);
}

/**
 * @param {ValueMetadata} metadata
 * @param {number} batch
 */
function emptyCache(metadata, batch) {
  if (!metadata.isTensor) throw new TypeError(`${metadata.name} is no tensor`);
  // What is not a number is the length of the past.
  const dims = [batch, ...metadata.shape.slice(1).map((size) => (typeof size === 'number' && size > 0 ? size : 0))];
  return new runtime.Tensor(/** @type {'float32'} */ (metadata.type), CACHES[metadata.type](0), dims);
}

/** @param {number[][]} rows */
function int64(rows) {
  return new runtime.Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length]);
}
