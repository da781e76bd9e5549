/**
 * Whether there is a Chromium to test with.
 *
 * @module
 */

import { findChromium } from '../../src/browser/chromium.mjs';
import { LlmzipError } from '../../src/core/errors.mjs';

/** Set where no test may be left out, as in continuous integration: it then fails by what is missing. */
const LEAVE_NOTHING_OUT = 'LLMZIP_LEAVE_NOTHING_OUT';

/** Why there is no browser to run, or false. */
export const withoutChromium = (() => {
  if (process.env[LEAVE_NOTHING_OUT] !== undefined) return false;
  try {
    findChromium();
    return false;
  } catch (error) {
    return error instanceof LlmzipError ? `${error.message}; ${error.hint}` : String(error);
  }
})();
