/**
 * Starts the command line in a process whose stdout is stderr.
 *
 * Native libraries write to descriptor 1 behind Node's back, and Node can neither duplicate a descriptor nor point one elsewhere. A
 * child can be given any: its descriptor 1 is this process's stderr, and this process's stdout is its descriptor `DATA_FD`, which no
 * library knows of. Owns that child: signals go down, its end comes up. It loads nothing and reads nothing from stdin.
 *
 * @module
 */

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** @type {NodeJS.Signals[]} */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const SETUP_EXIT = 3;

/**
 * Runs the command line; this process ends as the child does.
 *
 * @param {string[]} args
 */
export function launch(args) {
  const main = fileURLToPath(new URL('./main.mjs', import.meta.url));
  // Through the channel the child learns of this process's end, even of a hard one.
  const child = spawn(process.execPath, [...process.execArgv, main, ...args], { stdio: ['inherit', 2, 2, 1, 'ipc'] });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(
      `error[setup]: cannot start ${process.execPath}: ${error.message}\nhint: check the installation of Node\n`,
    );
    process.exitCode = SETUP_EXIT;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 0) : 128 + constants.signals[signal];
  });
}
