/**
 * What computes here (PROTOCOL.md, fingerprint). Owns the fields' values; loads no library to find them.
 *
 * @module
 */

import { readFileSync } from 'node:fs';

/** @typedef {import('../core/model/load.mjs').SessionOptions} SessionOptions */
/** @typedef {import('../core/model/load.mjs').Versions} Versions */

/** @type {Record<string, string>} */
const SYSTEMS = { darwin: 'macos', win32: 'windows' };
/** The name of this system. */
export const SYSTEM = SYSTEMS[process.platform] ?? process.platform;
const CPU_INFO = '/proc/cpuinfo';
// Those of which ONNX Runtime's kernels take note.
const CPU_FEATURES = new Set([
  ...['sse4_1', 'sse4_2', 'avx', 'avx2', 'avx_vnni', 'f16c', 'fma', 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl'],
  ...['avx512_vnni', 'avx512_bf16', 'avx512_fp16', 'amx_tile', 'amx_int8', 'amx_bf16'],
  ...['asimd', 'asimdhp', 'asimddp', 'asimdfhm', 'i8mm', 'bf16', 'sve', 'sve2', 'sme'],
]);

/**
 * @param {SessionOptions} [settings] what only a session decides is null without them
 * @param {Versions} [versions]
 */
export function fingerprint(settings, versions) {
  return {
    language: 'javascript',
    language_version: `node ${process.versions.node}`,
    runtime: 'onnxruntime',
    runtime_version: versions?.runtime ?? null,
    provider: settings?.provider ?? null,
    threads: settings?.threads ?? null,
    graph_optimization: settings?.graphOptimization ?? null,
    os: SYSTEM,
    arch: process.arch,
    cpu_features: cpuFeatures(),
    tokenizer: 'transformers.js',
    tokenizer_version: versions?.tokenizer ?? null,
  };
}

/** @returns {string[]} names of the CPU's features that matter, sorted; empty where the system does not tell */
function cpuFeatures() {
  let lines;
  try {
    lines = readFileSync(CPU_INFO, 'latin1').split('\n');
  } catch {
    return [];
  }
  const flags = lines.find((line) => /^(flags|features)\b/i.test(line))?.split(':')[1] ?? '';
  return [...new Set(flags.split(' '))].filter((flag) => CPU_FEATURES.has(flag)).sort();
}
