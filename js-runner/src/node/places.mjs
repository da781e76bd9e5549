/**
 * Where a command reads from and writes to: names that follow from others, pipes, the removal of an input. Looks into no content.
 *
 * @module
 */

import { fstatSync, realpathSync, rmSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { isatty } from 'node:tty';
import { IoError, reason, UsageError } from '../core/errors.mjs';
import { kindOf, readPieces, STDIO } from './files.mjs';

const SUFFIX = '.llmzip';
const STDIN_FD = 0;

/** An input that knows how far it was read, and its length where it is a regular file. */
export class CountedInput {
  count = 0;
  /** @type {number | undefined} */
  size;
  #path;

  /** @param {string} path */
  constructor(path) {
    this.#path = path;
    try {
      const stats = path === STDIO ? fstatSync(STDIN_FD) : statSync(path);
      this.size = stats.isFile() ? stats.size : undefined;
    } catch {
      // Reading tells what is wrong with it.
    }
  }

  /** @returns {AsyncGenerator<Uint8Array>} */
  async *[Symbol.asyncIterator]() {
    for await (const piece of readPieces(this.#path)) {
      this.count += piece.length;
      yield piece;
    }
  }
}

/**
 * @param {string} path
 * @throws {UsageError} a container would come from a terminal
 */
export function refuseTerminalInput(path) {
  if (path === STDIO && isatty(STDIN_FD)) {
    throw new UsageError('a container is not read from a terminal', 'name a file, or give it one through a pipe');
  }
}

/**
 * @param {string} output
 * @param {number} fd what stdout is
 * @param {boolean} force
 * @throws {UsageError} a container would go to a terminal
 */
export function refuseTerminalOutput(output, fd, force) {
  if (output === STDIO && !force && isatty(fd)) {
    throw new UsageError(
      'a container is not written to a terminal',
      'name a file with -o, or give -f to write it all the same',
    );
  }
}

/**
 * The output of an input where none is named.
 *
 * @param {'compress' | 'decompress'} command
 * @param {string} input
 * @returns {string}
 * @throws {UsageError} it has none
 */
export function outputName(command, input) {
  if (input === STDIO) return STDIO;
  if (command === 'compress') return input + SUFFIX;
  if (input.endsWith(SUFFIX) && basename(input) !== SUFFIX) return input.slice(0, -SUFFIX.length);
  throw new UsageError(
    `${input} does not end in ${SUFFIX}, so that the output has no name`,
    'name a file to write to with -o',
  );
}

/**
 * @param {string} input
 * @param {string} output
 * @throws {UsageError} the output would take the input's place, and lose it
 */
export function refuseSame(input, output) {
  const files = [input, output].every((path) => path !== STDIO && kindOf(path) === 'file');
  if (files && realpathSync(input) === realpathSync(output)) {
    throw new UsageError(`${input} is the input and the output`, 'name another file to write to');
  }
}

/**
 * Whether it will be a regular file, and is no pipe or device.
 *
 * @param {string} output
 * @returns {boolean}
 */
export function takesAName(output) {
  return output !== STDIO && kindOf(output) !== 'other';
}

/**
 * The output is complete.
 *
 * @param {string} path
 * @throws {IoError}
 */
export function removeInput(path) {
  try {
    rmSync(path);
  } catch (cause) {
    throw new IoError(
      `cannot remove ${path}: ${reason(cause)}`,
      'the output is complete; remove the input by hand',
      cause,
    );
  }
}
