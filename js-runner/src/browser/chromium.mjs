/**
 * Chromium: found, started with a profile of its own, and ended with all that it made.
 *
 * Owns the command line of the browser and its folder; what the page does is `bridge`'s.
 *
 * @module
 */

import { accessSync, constants, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { reason, SetupError } from '../core/errors.mjs';

/** @typedef {import('playwright-core').BrowserContext} BrowserContext */

export const CHROMIUM_VARIABLE = 'LLMZIP_CHROMIUM';
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const FOLDER_NAME = /^llmzip-browser-(\d+)-/;
const TEMPORARY_FOLDERS = ['TMPDIR', 'TMP', 'TEMP'];
const FLAGS = [
  '--no-first-run',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Shared memory may be small in a container.
  '--disable-dev-shm-usage',
];
const FLAGS_OF = Object.freeze({
  wasm: ['--disable-gpu'],
  // A machine without a graphics processor has an adapter in software.
  webgpu: [
    '--enable-unsafe-webgpu',
    '--use-webgpu-adapter=swiftshader',
    '--enable-features=Vulkan',
    '--use-vulkan=swiftshader',
    '--ignore-gpu-blocklist',
  ],
});

/**
 * Where Chromium is.
 *
 * @returns {string}
 * @throws {SetupError}
 */
export function findChromium() {
  const named = process.env[CHROMIUM_VARIABLE];
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const places = named ? [named] : NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = places.find(mayBeRun);
  if (found !== undefined) return found;
  throw new SetupError(
    named ? `${CHROMIUM_VARIABLE} is ${named}, which cannot be run` : `none of ${NAMES.join(', ')} is on the PATH`,
    `install Chromium (Debian: apt-get install chromium), or name one with ${CHROMIUM_VARIABLE}`,
  );
}

/** @param {string} path */
function mayBeRun(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What browsers of this process make: their profiles, and the files of the library. @type {string | undefined} */
let folder;

/**
 * A browser without a window. Whatever ends this process ends it too: it reads a pipe of this process's.
 *
 * @param {'wasm' | 'webgpu'} build
 * @returns {Promise<BrowserContext>}
 * @throws {SetupError}
 */
export async function startChromium(build) {
  const executablePath = findChromium();
  if (folder === undefined) {
    removeLeftovers();
    folder = mkdtempSync(join(tmpdir(), `llmzip-browser-${process.pid}-`));
  }
  // The library takes note of the temporary folder when it is loaded.
  for (const name of TEMPORARY_FOLDERS) process.env[name] = folder;
  const { chromium } = await import('playwright-core').catch((cause) => {
    throw new SetupError(`playwright-core cannot be loaded: ${reason(cause)}`, 'run npm ci in js-runner', cause);
  });
  try {
    const context = await chromium.launchPersistentContext(mkdtempSync(join(folder, 'profile-')), {
      executablePath,
      headless: true,
      // A sandbox cannot be made by root.
      chromiumSandbox: process.getuid?.() !== 0,
      args: [...FLAGS, ...FLAGS_OF[build]],
      env: { ...definedOf(process.env), HOME: folder, XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: folder },
      // The end of this process is `main`'s.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    });
    // Behind the library's own listener, which kills the browser.
    process.removeListener('exit', removeFolder);
    process.on('exit', removeFolder);
    return context;
  } catch (cause) {
    throw new SetupError(
      `${executablePath} cannot be started: ${reason(cause)}`,
      `check that it runs by hand, or name another with ${CHROMIUM_VARIABLE}`,
      cause,
    );
  }
}

/** Removes what the browsers of this process made; they have ended. */
export function removeFolder() {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  folder = undefined;
}

/** Removes the folders of processes that were killed before they could. */
function removeLeftovers() {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(FOLDER_NAME.exec(name)?.[1] ?? process.pid);
    if (!isRunning(pid)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code !== 'ESRCH';
  }
}

/** @param {NodeJS.ProcessEnv} env */
function definedOf(env) {
  return /** @type {Record<string, string>} */ (
    Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
  );
}
