/**
 * Files that appear whole or not at all. Owns temporary files and their renaming; looks into no content.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { IoError, LlmzipError, reason, SetupError, UsageError } from '../core/errors.mjs';
import { writeAll } from './data-stream.mjs';

export const STDIO = '-';
const PIECE_BYTES = 2 ** 18;

/** Temporary files that exist, for an end that comes from outside. @type {Set<string>} */
const temporaryFiles = new Set();

/** Removes what is unfinished; for the end of the process. */
export function removeTemporaryFiles() {
  for (const path of temporaryFiles) rmSync(path, { force: true });
  temporaryFiles.clear();
}

/**
 * The content of a file, or of stdin for `-`.
 *
 * @param {string} path
 * @returns {AsyncGenerator<Uint8Array>}
 * @throws {IoError}
 */
export async function* readPieces(path) {
  const stream = path === STDIO ? process.stdin : createReadStream(path, { highWaterMark: PIECE_BYTES });
  try {
    yield* stream;
  } catch (cause) {
    throw new IoError(
      `cannot read ${nameOf(path, 'stdin')}: ${reason(cause)}`,
      'check that it exists and may be read',
      cause,
    );
  }
}

/**
 * The content of a file that belongs to a model.
 *
 * @param {string} path
 * @returns {Uint8Array}
 * @throws {SetupError} there is no such file
 * @throws {IoError}
 */
export function readModelFile(path) {
  try {
    return readFileSync(path);
  } catch (cause) {
    if (isMissing(cause)) {
      throw new SetupError(`there is no file ${path}`, 'give the folder of a model, or get the missing file', cause);
    }
    throw new IoError(`cannot read ${path}: ${reason(cause)}`, 'check that it may be read', cause);
  }
}

/**
 * The SHA-256 of a model's file. The system's own code, since a model is large: that of `core` takes ten times as long.
 *
 * @param {Uint8Array} bytes
 * @returns {string} lower-case hex
 */
export function fileSha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * What kind of thing has a name.
 *
 * @param {string} path
 * @returns {'file' | 'folder' | 'other' | undefined} nothing where there is no such name
 * @throws {IoError} the system does not tell
 */
export function kindOf(path) {
  try {
    const stats = statSync(path);
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other';
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw new IoError(
      `cannot look at ${path}: ${reason(cause)}`,
      'check the name, and that its folder may be read',
      cause,
    );
  }
}

/**
 * A file to write to. A regular file takes its name with `commit` and leaves nothing behind with `discard`; a device or pipe is
 * written to as it is.
 */
export class OutputFile {
  #path;
  #target;
  #overwrite;
  /** @type {string | undefined} */
  #temporary;
  #fd;

  /**
   * @param {string} path
   * @param {boolean} overwrite
   * @throws {UsageError} the file exists and must not be overwritten
   * @throws {IoError}
   */
  constructor(path, overwrite) {
    this.#path = path;
    this.#overwrite = overwrite;
    this.#target = this.#trying(() => followLinks(path));
    if (kindOf(this.#target) !== 'other') {
      this.#refuseExisting();
      // Not made of the output's own name, which may be as long as the system lets a name be.
      const name = `.llmzip-${randomBytes(6).toString('hex')}.tmp`;
      this.#temporary = join(dirname(this.#target), name);
    }
    this.#fd = this.#trying(() => openSync(this.#temporary ?? this.#target, this.#temporary ? 'wx' : 'w'));
    // No interruption comes between the two: signals are told between turns of the event loop.
    if (this.#temporary !== undefined) temporaryFiles.add(this.#temporary);
  }

  /** Where what is written lies until it takes its name; a device or pipe has no such place. */
  get temporary() {
    return this.#temporary;
  }

  /** @param {Uint8Array} bytes */
  write(bytes) {
    this.#trying(() => writeAll(this.#fd, bytes));
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} offset from the start of the file
   */
  writeAt(bytes, offset) {
    this.#trying(() => writeAll(this.#fd, bytes, offset));
  }

  /** The file is complete: it takes its name. */
  commit() {
    this.#trying(() => {
      this.#close();
      if (this.#temporary === undefined) return;
      this.#refuseExisting();
      renameSync(this.#temporary, this.#target);
      temporaryFiles.delete(this.#temporary);
    });
  }

  /** The file is not to be. */
  discard() {
    this.#close();
    if (this.#temporary === undefined) return;
    rmSync(this.#temporary, { force: true });
    temporaryFiles.delete(this.#temporary);
  }

  #close() {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #refuseExisting() {
    const kind = kindOf(this.#target);
    if (kind === 'folder') throw new UsageError(`${this.#path} is a folder`, 'name a file to write to');
    if (kind !== undefined && !this.#overwrite) {
      throw new UsageError(`${this.#path} is already there`, 'give -f to replace it, or another name');
    }
  }

  /**
   * @template T
   * @param {() => T} action
   * @returns {T}
   */
  #trying(action) {
    try {
      return action();
    } catch (cause) {
      if (cause instanceof LlmzipError) throw cause;
      throw new IoError(
        `cannot write ${this.#path}: ${reason(cause)}`,
        'check that its folder exists, may be written to and has room',
        cause,
      );
    }
  }
}

/**
 * Opens files for a piece of work: they all take their names when it succeeds, and none is left when it fails.
 *
 * @template T
 * @param {string[]} paths
 * @param {boolean} overwrite
 * @param {(files: OutputFile[]) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withOutputFiles(paths, overwrite, work) {
  /** @type {OutputFile[]} */
  const files = [];
  try {
    for (const path of paths) files.push(new OutputFile(path, overwrite));
    const result = await work(files);
    for (const file of files) file.commit();
    return result;
  } catch (error) {
    for (const file of files) file.discard();
    throw error;
  }
}

/**
 * What is to be written for a name: a link keeps pointing to what it points to, also where that is not there yet.
 *
 * @param {string} path
 * @returns {string}
 * @throws {IoError} the links lead in a circle
 */
function followLinks(path) {
  if (kindOf(path) !== undefined) return realpathSync(path);
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return path;
  return followLinks(resolve(realpathSync(dirname(path)), readlinkSync(path)));
}

/** @param {unknown} error */
function isMissing(error) {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/**
 * @param {string} path
 * @param {string} stdio
 */
function nameOf(path, stdio) {
  return path === STDIO ? stdio : path;
}
