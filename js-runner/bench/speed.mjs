/**
 * How fast WebAssembly drives graphs: `speed.mjs OPTIONS`, with the options as JSON; prints JSON. py-runner/bench/speed.py does the
 * same in native code, and says what the options and the answer are.
 *
 * @module
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rowsOfKnownTokens } from '../src/core/model/context.mjs';
import { readExactness } from '../src/core/model/exactness.mjs';
import { readGraphFacts } from '../src/core/model/graph.mjs';
import { SessionSource } from '../src/core/model/session.mjs';
import { readSignature } from '../src/core/model/signature.mjs';
import { openWasmSession } from '../src/web/session.mjs';

const CHECKED_TOKENS = 40;
const POLICY = { startToken: 0, window: 32, overlap: 8 };

/**
 * The ids that are fed: any will do, in every language the same.
 *
 * @param {number} count
 * @param {number} vocabSize
 */
const someIds = (count, vocabSize) => Uint32Array.from({ length: count }, (_, i) => (i * 977) % vocabSize);

/** @param {Uint32Array} ids */
function littleEndian(ids) {
  const view = new DataView(new ArrayBuffer(4 * ids.length));
  for (const [place, id] of ids.entries()) view.setUint32(4 * place, id, true);
  return view;
}

/**
 * Tokens per second of `passes` passes of `fresh` tokens in each of `lanes` lanes, after `past` others; and the digest of all ids.
 *
 * @param {SessionSource} source
 * @param {[number, number, number, number]} job
 * @returns {Promise<[number, string]>}
 */
async function timed(source, [lanes, past, fresh, passes]) {
  const before = someIds(lanes * past, source.vocabSize);
  const ids = someIds(lanes * fresh, source.vocabSize);
  source.reset(lanes);
  if (past > 0) await source.feed(before, past);
  const started = performance.now();
  for (let pass = 0; pass < passes; pass++) await source.feed(ids, fresh);
  const speed = (1000 * lanes * fresh * passes) / (performance.now() - started);
  return [speed, createHash('sha256').update(littleEndian(before)).update(littleEndian(ids)).digest('hex')];
}

/**
 * The SHA-256 of the rows of some tokens, in the tokens' order.
 *
 * @param {SessionSource} source
 * @param {[number, number]} plan
 */
async function digest(source, [lanes, chunk]) {
  const ids = someIds(CHECKED_TOKENS, source.vocabSize);
  /** @type {Uint8Array[]} */
  const rows = [];
  for await (const { index, logits } of rowsOfKnownTokens(source, POLICY, { lanes, chunk }, ids)) {
    rows[index] = new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength).slice();
  }
  const hash = createHash('sha256');
  for (const row of rows) hash.update(row);
  return hash.digest('hex');
}

const { folder, variants, threads, runs, jobs, plans } = JSON.parse(process.argv[2]);
const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
/** @type {Record<string, SessionSource>} */
const sources = {};
for (const variant of variants) {
  const bytes = readFileSync(join(folder, 'onnx', `model_${variant}.onnx`));
  const facts = readGraphFacts(bytes);
  const session = await openWasmSession(bytes, { threads });
  const signature = readSignature(session.inputs, session.outputs, config);
  sources[variant] = new SessionSource(session, signature, readExactness(facts.metadata, Object.keys(facts.ops)));
}
/** @type {Record<string, Record<string, number[]>>} */
const speeds = {};
/** @type {Record<string, string>} */
const ids = {};
// The first run warms up.
for (let run = 0; run <= runs; run++) {
  for (const [job, settings] of Object.entries(jobs)) {
    for (const variant of variants) {
      const [speed, digestOfIds] = await timed(sources[variant], settings);
      ids[job] = digestOfIds;
      speeds[job] ??= {};
      speeds[job][variant] ??= [];
      if (run > 0) speeds[job][variant].push(speed);
    }
  }
}
/** @type {Record<string, string>} */
const digests = {};
for (const [name, plan] of Object.entries(plans)) digests[name] = await digest(sources.exact, plan);
process.stdout.write(JSON.stringify({ tokens_per_s: speeds, ids, digests }));
process.exit(0);
