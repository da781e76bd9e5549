/**
 * The files of one request, for the page: it may read the model or the input that the request names and write the outputs that it names,
 * and nothing else.
 *
 * Owns the bridge's end of the addresses for files (`page/remote-files.mjs` is the other).
 *
 * @module
 */

import { open } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { InternalError, IoError, reason, SetupError } from '../core/errors.mjs';
import { OutputFile } from '../node/files.mjs';

/** @typedef {import('node:http').ServerResponse} ServerResponse */

/** Of a piece's head: which file, how many bytes, and their place as a binary64. */
const HEAD_BYTES = 16;
const PIECE_BYTES = 2 ** 18;
const OUTPUTS = ['output_file', 'logits_file', 'coded_file', 'rows_file'];

export class RequestFiles {
  /** @type {string | undefined} */
  #folder;
  /** @type {string | undefined} */
  #input;
  /** @type {Set<string>} */
  #mayWrite;
  /** @type {OutputFile[]} */
  #outputs = [];

  /**
   * @param {unknown} params of the request, of any form
   */
  constructor(params) {
    const members = typeof params === 'object' && params !== null ? Object.entries(params) : [];
    const paths = new Map(members.filter(([, value]) => typeof value === 'string'));
    this.#folder = paths.get('model_dir');
    this.#input = paths.get('input_file');
    this.#mayWrite = new Set(OUTPUTS.flatMap((name) => paths.get(name) ?? []));
  }

  /**
   * Sends a file, piece by piece.
   *
   * @param {string} path
   * @param {ServerResponse} response
   */
  async send(path, response) {
    const isModel = this.#folder !== undefined && resolve(path).startsWith(resolve(this.#folder) + sep);
    if (path !== this.#input && !isModel)
      throw new InternalError(`the page asks for ${path}, which is not its request's`);
    let file;
    let stats;
    try {
      file = await open(path);
      stats = await file.stat();
      // What cannot be read is told while there is still a way to tell it.
      if (stats.size > 0 || !stats.isFile()) await file.read(new Uint8Array(1), 0, stats.isFile() ? 1 : 0, 0);
    } catch (cause) {
      await file?.close();
      throw unreadable(path, isModel, cause);
    }
    response.setHeader('Content-Type', 'application/octet-stream');
    if (stats.isFile()) response.setHeader('Content-Length', stats.size);
    const end = stats.isFile() ? { start: 0, end: Math.max(stats.size - 1, 0) } : {};
    await pipeline(file.createReadStream({ highWaterMark: PIECE_BYTES, ...end }), response);
  }

  /** @param {unknown} paths */
  open(paths) {
    if (!Array.isArray(paths) || this.#outputs.length > 0 || !paths.every((path) => this.#mayWrite.has(path))) {
      throw new InternalError('the page opens other files than its request names');
    }
    for (const path of paths) this.#outputs.push(new OutputFile(path, true));
  }

  /** @param {Buffer} pieces each behind its head */
  write(pieces) {
    for (let at = 0; at < pieces.length; ) {
      const file = this.#outputs[pieces.readUInt32LE(at)];
      const length = pieces.readUInt32LE(at + 4);
      const offset = pieces.readDoubleLE(at + 8);
      const start = at + HEAD_BYTES;
      at = start + length;
      if (!file || at > pieces.length || !Number.isSafeInteger(offset)) {
        throw new InternalError('the page writes to a file or a place that is none');
      }
      file.writeAt(pieces.subarray(start, at), offset);
    }
  }

  /** All files are complete. */
  commit() {
    for (const file of this.#outputs) file.commit();
    this.#outputs = [];
  }

  /** None of the files that are not complete is to be. */
  discard() {
    for (const file of this.#outputs) file.discard();
    this.#outputs = [];
  }
}

/**
 * @param {string} path
 * @param {boolean} isModel
 * @param {unknown} cause
 */
function unreadable(path, isModel, cause) {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (isModel && (code === 'ENOENT' || code === 'ENOTDIR')) {
    return new SetupError(`there is no file ${path}`, 'give the folder of a model, or get the missing file', cause);
  }
  return new IoError(`cannot read ${path}: ${reason(cause)}`, 'check that it exists and may be read', cause);
}
