/**
 * Bytes to a descriptor of any kind: file, pipe, socket or terminal. Owns the waiting for a slow reader; knows nothing of content.
 *
 * @module
 */

import { fstatSync, readSync, statSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { IoError, reason, SetupError } from '../core/errors.mjs';

export class DataStream {
  #fd;
  #socket;

  /**
   * @param {number} fd
   * @param {Socket | undefined} socket
   */
  constructor(fd, socket) {
    this.#fd = fd;
    this.#socket = socket;
    // Told through the callback of the write that fails.
    socket?.on('error', () => {});
  }

  /**
   * @param {number} fd
   * @returns {DataStream}
   * @throws {SetupError} there is no such descriptor
   */
  static open(fd) {
    let stats;
    try {
      stats = fstatSync(fd);
    } catch (cause) {
      throw new SetupError(`there is no descriptor ${fd} to write to`, 'start llmzip by bin/llmzip.mjs', cause);
    }
    const isPipe = stats.isFIFO() || stats.isSocket();
    return new DataStream(fd, isPipe ? new Socket({ fd, readable: false, writable: true }) : undefined);
  }

  /** The descriptor. */
  get fd() {
    return this.#fd;
  }

  /**
   * Refuses the stdout of a process that was started without one. In its place Node opens the null device, for reading and writing,
   * so that all that is written is lost. `>/dev/null` opens it for writing only; a caller that opens it for both cannot be told
   * apart, and is refused too.
   *
   * @throws {IoError}
   */
  refuseClosed() {
    if (isNullDevice(this.#fd) && mayBeRead(this.#fd)) {
      throw new IoError(
        'cannot write to stdout: it is closed',
        'give it a file or a pipe, or name a file to write to; to throw the data away, name /dev/null',
      );
    }
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {Promise<void>} when they are handed over
   * @throws {IoError}
   */
  async write(bytes) {
    try {
      if (this.#socket) await writeToSocket(this.#socket, bytes);
      else writeAll(this.#fd, bytes);
    } catch (cause) {
      throw new IoError(`cannot write to stdout: ${reason(cause)}`, 'check that its reader goes on reading', cause);
    }
  }
}

/**
 * @param {number} fd
 * @param {Uint8Array} bytes
 * @param {number | null} [position] where to write, the current place of the file otherwise
 */
export function writeAll(fd, bytes, position = null) {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(fd, bytes, written, bytes.length - written, position === null ? null : position + written);
  }
}

/** @param {number} fd */
function isNullDevice(fd) {
  const stats = fstatSync(fd);
  return stats.isCharacterDevice() && stats.rdev === statSync('/dev/null', { throwIfNoEntry: false })?.rdev;
}

/** @param {number} fd */
function mayBeRead(fd) {
  try {
    readSync(fd, new Uint8Array(1));
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {Socket} socket
 * @param {Uint8Array} bytes
 * @returns {Promise<void>}
 */
function writeToSocket(socket, bytes) {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
