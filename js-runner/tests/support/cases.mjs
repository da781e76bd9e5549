/**
 * Tables of cases that the tests of all three languages read.
 *
 * @module
 */

import { readFileSync } from 'node:fs';

/**
 * @param {string} name
 * @returns {any}
 */
export function readCases(name) {
  return JSON.parse(readFileSync(new URL(`../../../harness/tests/cases/${name}`, import.meta.url), 'utf8'));
}
