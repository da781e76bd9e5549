/**
 * Options of the command line as values. Owns what a number must look like; knows no command.
 *
 * @module
 */

import { UsageError } from '../core/errors.mjs';

/** @typedef {Record<string, string | boolean | undefined>} Options */

/** What a browser keeps of the page belongs to a port, so that another one would be another page. */
export const DEFAULT_PORT = 5569;
const MAX_PORT = 65535;

/**
 * @param {Options} options
 * @param {string} name
 * @returns {number | undefined}
 */
export function positive(options, name) {
  const text = options[name];
  if (text === undefined) return undefined;
  if (!/^[1-9][0-9]{0,9}$/.test(String(text)))
    throw new UsageError(`--${name} is ${text}`, 'give a whole number, 1 or more');
  return Number(text);
}

/**
 * A number of lanes, or `auto`, which it is unless given.
 *
 * @param {Options} options
 * @returns {import('../core/compressor/lanes.mjs').Lanes}
 */
export function lanesOption(options) {
  return options.lanes === 'auto' ? 'auto' : (positive(options, 'lanes') ?? 'auto');
}

/**
 * @param {Options} options
 * @returns {number}
 */
export function portOption({ port }) {
  if (port === undefined) return DEFAULT_PORT;
  if (!/^[0-9]{1,5}$/.test(String(port)) || Number(port) > MAX_PORT) {
    throw new UsageError(`--port is ${port}`, `give 0 to ${MAX_PORT}; 0 is any that is free`);
  }
  return Number(port);
}
