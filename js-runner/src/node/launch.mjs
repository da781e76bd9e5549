/**
 * Starts the command line in a process whose stdout is stderr.
 *
 * Native libraries write to descriptor 1 behind Node's back, and Node can neither duplicate a descriptor nor point one elsewhere. A
 * child can be given any: its descriptor 1 is this process's stderr, and this process's stdout is its descriptor `DATA_FD`, which no
 * library knows of. Owns that child: signals go down, its end comes up. It loads no library and reads nothing from stdin.
 *
 * @module
 */

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { errorText, InterruptedError, SetupError } from '../core/errors.mjs';

/** @type {NodeJS.Signals[]} */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs the command line; this process ends as the child does.
 *
 * @param {string[]} args
 */
export function launch(args) {
  const main = fileURLToPath(new URL('./main.mjs', import.meta.url));
  // Before there is a child, which must not be left alone.
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  // Through the channel the child learns of this process's end, even of a hard one.
  const child = spawn(process.execPath, [...process.execArgv, main, ...args], { stdio: ['inherit', 2, 2, 1, 'ipc'] });
  child.on('error', (error) => {
    fail(new SetupError(`cannot start ${process.execPath}: ${error.message}`, 'check the installation of Node'));
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exitCode = code ?? 0;
    // It was still starting, and could not tell of it.
    else if (FORWARDED.includes(signal)) fail(new InterruptedError());
    else process.exitCode = 128 + constants.signals[signal];
  });
}

/** @param {import('../core/errors.mjs').LlmzipError} error */
function fail(error) {
  process.stderr.write(errorText(error));
  process.exitCode = error.exitCode;
}
