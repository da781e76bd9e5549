/**
 * What is said on stderr: progress, words, errors. Owns their form; what happened is the caller's.
 *
 * @module
 */

import { asLlmzipError, errorText, LlmzipError } from '../core/errors.mjs';

/** @type {import('../core/compressor/progress.mjs').Progress} */
export function showProgress(done, total) {
  if (!process.stderr.isTTY || (done % 32 !== 0 && done !== total)) return;
  process.stderr.write(done === total ? '\r\u001b[K' : `\r${done} of ${total} tokens\u001b[K`);
}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`${process.stderr.isTTY ? '\r\u001b[K' : ''}${text}\n`);
}

/**
 * @param {unknown} thrown
 * @returns {number} the exit code
 */
export function report(thrown) {
  const error = asLlmzipError(thrown);
  if (!(thrown instanceof LlmzipError)) say(thrown instanceof Error ? String(thrown.stack) : String(thrown));
  say(errorText(error).trimEnd());
  return error.exitCode;
}
