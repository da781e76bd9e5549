/**
 * What is said on stderr: progress, words, errors. Owns their form, and whether it is quiet; what happened is the caller's.
 *
 * @module
 */

import { asLlmzipError, errorText, LlmzipError } from '../core/errors.mjs';

// Milliseconds between two drawings of progress: tokens come faster than anybody reads.
const TICK = 120;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

let quiet = false;

/**
 * Says nothing but errors from now on, or says everything.
 *
 * @param {boolean} on
 */
export function beQuiet(on) {
  quiet = on;
}

/** Whether progress may be drawn. */
function draws() {
  return !quiet && process.stderr.isTTY && process.env.TERM !== 'dumb';
}

/**
 * Says something, unless it is to be quiet.
 *
 * @param {string} text
 */
export function say(text) {
  if (!quiet) warn(text);
}

/**
 * Says what must be heard, quiet or not.
 *
 * @param {string} text
 */
export function warn(text) {
  process.stderr.write(`${draws() ? '\r\u001b[K' : ''}${text}\n`);
}

/**
 * @param {unknown} thrown
 * @returns {number} the exit code
 */
export function report(thrown) {
  const error = asLlmzipError(thrown);
  if (!(thrown instanceof LlmzipError)) warn(thrown instanceof Error ? String(thrown.stack) : String(thrown));
  warn(errorText(error).trimEnd());
  return error.exitCode;
}

/**
 * How far a file is: `place` of `size` bytes (undefined where nobody knows), after so many tokens and seconds.
 *
 * @param {string} what
 * @param {number} place
 * @param {number | undefined} size
 * @param {number} tokens
 * @param {number} seconds
 * @returns {string}
 */
export function progressLine(what, place, size, tokens, seconds) {
  const speed = `${seconds > 0 ? (tokens / seconds).toFixed(0) : '-'} tokens/s`;
  if (size === undefined) return `${what} ${amount(place)}, ${speed}`;
  const left = place > 0 ? time((seconds * (size - place)) / place) : '-';
  return `${what} ${amount(place)} of ${amount(size)}, ${speed}, ${left} left`;
}

/** @param {number} count of bytes */
function amount(count) {
  let [value, unit] = [count, 0];
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? count : value.toFixed(1)} ${UNITS[unit]}`;
}

/** @param {number} seconds */
function time(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** Draws how far one file is. */
export class FileProgress {
  #what;
  #input;
  #tokens = 0;
  #started = performance.now();
  #drawn = this.#started;

  /**
   * @param {string} what
   * @param {{ count: number, size?: number | undefined }} input how many bytes of it were read, and its length where that is known
   */
  constructor(what, input) {
    this.#what = what;
    this.#input = input;
  }

  /** @type {import('../core/compressor/progress.mjs').Progress} */
  show = (done, total) => {
    this.#tokens = total;
    this.#draw(done, total);
  };

  /** The file was written, and is now read back. @type {import('../core/compressor/progress.mjs').Progress} */
  showVerifying = (done) => {
    if (this.#what !== 'verify') {
      this.#what = 'verify';
      this.#started = performance.now();
      this.#drawn = this.#started;
    }
    this.#draw(done, this.#tokens);
  };

  /** Takes it away. */
  clear() {
    if (draws()) process.stderr.write('\r\u001b[K');
  }

  /**
   * @param {number} done
   * @param {number} total
   */
  #draw(done, total) {
    if (!draws()) return;
    const now = performance.now();
    if (now < this.#drawn + TICK) return;
    this.#drawn = now;
    const { count, size } = this.#input;
    const place = Math.floor((count * done) / Math.max(total, 1));
    process.stderr.write(`\r${progressLine(this.#what, place, size, done, (now - this.#started) / 1000)}\u001b[K`);
  }
}
