/**
 * The scripts of pages, each bundled into one file in memory.
 *
 * Owns the bundler and its options, and which file of onnxruntime-web goes with which build.
 *
 * @module
 */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reason, SetupError } from '../core/errors.mjs';

/** @typedef {'wasm' | 'webgpu'} Build */

/**
 * The files of onnxruntime-web that a build fetches when it starts.
 *
 * @type {Readonly<Record<Build, { mjs: string, wasm: string }>>}
 */
export const RUNTIME_FILES = Object.freeze({
  wasm: { mjs: 'ort-wasm-simd-threaded.mjs', wasm: 'ort-wasm-simd-threaded.wasm' },
  webgpu: { mjs: 'ort-wasm-simd-threaded.asyncify.mjs', wasm: 'ort-wasm-simd-threaded.asyncify.wasm' },
});

const INSTALL = 'run npm ci in js-runner';
const TARGET = 'chrome120';
const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Scripts, each with all that it imports.
 *
 * @param {Readonly<Record<string, URL | string>>} entries by the names that the page has for them; a text is a script of its own, whose
 *   paths start in this package's folder
 * @param {Build} build of onnxruntime-web; transformers.js, which imports one too, is given the same
 * @param {{ minify?: boolean }} [options]
 * @returns {Promise<Map<string, Uint8Array>>}
 * @throws {SetupError} the bundler is not there, or a package is missing
 */
export async function bundle(entries, build, { minify = false } = {}) {
  const esbuild = await import('esbuild').catch((cause) => {
    throw new SetupError(`the bundler cannot be loaded: ${reason(cause)}`, INSTALL, cause);
  });
  const scripts = new Map();
  try {
    for (const [name, entry] of Object.entries(entries)) {
      const { outputFiles } = await esbuild.build({
        ...(typeof entry === 'string'
          ? { stdin: { contents: entry, resolveDir: PACKAGE } }
          : { entryPoints: [fileURLToPath(entry)] }),
        minify,
        // Other names of packages are looked up from here.
        absWorkingDir: PACKAGE,
        bundle: true,
        write: false,
        format: 'esm',
        platform: 'browser',
        target: TARGET,
        // The runtime's own script stays a file, which its threads are started from.
        conditions: ['onnxruntime-web-use-extern-wasm'],
        ...(build === 'wasm' && { alias: { 'onnxruntime-web/webgpu': 'onnxruntime-web/wasm' } }),
        legalComments: 'none',
        logLevel: 'silent',
      });
      scripts.set(name, outputFiles[0].contents);
    }
    return scripts;
  } catch (cause) {
    throw new SetupError(`the page cannot be bundled: ${reason(cause)}`, INSTALL, cause);
  } finally {
    // Its process would stay as long as this one.
    await esbuild.stop();
  }
}

/**
 * @param {string} file one of `RUNTIME_FILES`
 * @returns {string} its path
 * @throws {SetupError} onnxruntime-web is not there
 */
export function runtimeFile(file) {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm')), file);
  } catch (cause) {
    throw new SetupError(`onnxruntime-web cannot be found: ${reason(cause)}`, INSTALL, cause);
  }
}
