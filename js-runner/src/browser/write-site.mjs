/**
 * The site as a folder, for a server of any kind.
 *
 * Owns that the folder is there whole or not at all; what is in it is `site`'s.
 *
 * @module
 */

import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { IoError, reason, UsageError } from '../core/errors.mjs';
import { kindOf } from '../node/files.mjs';
import { catalogueOf } from './catalogue.mjs';
import { buildSite } from './site.mjs';

/**
 * @param {string} folder one that is not there yet
 * @param {string} modelDir
 * @param {string} [dtype]
 * @returns {Promise<{ files: number }>}
 * @throws {import('../core/errors.mjs').LlmzipError} usage, setup, io
 */
export async function writeSite(folder, modelDir, dtype) {
  if (kindOf(folder) !== undefined) {
    throw new UsageError(`${folder} is already there`, 'name a folder that is not, or remove it first');
  }
  const site = await buildSite(modelDir, await catalogueOf(modelDir, dtype));
  let unfinished;
  try {
    unfinished = mkdtempSync(`${resolve(folder)}.partial-`);
    for (const [path, { content }] of site) {
      const file = join(unfinished, ...path.split('/').map(decodeURIComponent));
      mkdirSync(dirname(file), { recursive: true });
      if (typeof content === 'string') cpSync(content, file);
      else writeFileSync(file, content);
    }
    renameSync(unfinished, folder);
  } catch (cause) {
    if (unfinished !== undefined) rmSync(unfinished, { recursive: true, force: true });
    throw new IoError(
      `cannot write ${folder}: ${reason(cause)}`,
      'check that its folder is there and may be written to',
      cause,
    );
  }
  return { files: site.size };
}
