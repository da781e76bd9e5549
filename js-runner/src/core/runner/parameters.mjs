/**
 * The parameters of a request: hostile JSON to typed values. Owns types and presence; what a value means is the operation's.
 *
 * @module
 */

import { UsageError } from '../errors.mjs';

const HINT = 'see PROTOCOL.md for the parameters of each operation';

/** A JSON object whose members must all be asked for. Throws a `UsageError` for one that is missing or of another type. */
export class Parameters {
  #op;
  #isAbsolute;
  /** @type {Map<string, unknown>} */
  #members;
  /** @type {Set<string>} */
  #asked = new Set();

  /**
   * @param {string} op
   * @param {unknown} members
   * @param {(path: string) => boolean} isAbsolute whether a path is, on the system whose files are meant
   */
  constructor(op, members, isAbsolute) {
    if (typeof members !== 'object' || members === null || Array.isArray(members)) {
      throw new UsageError(`${op}: the parameters are not an object`, HINT);
    }
    this.#op = op;
    this.#isAbsolute = isAbsolute;
    this.#members = new Map(Object.entries(members));
  }

  /**
   * A string of Unicode scalar values.
   *
   * @param {string} name
   * @returns {string}
   */
  text(name) {
    const value = this.#get(name);
    if (typeof value !== 'string') throw this.#wrong(name, 'a string');
    // A lone surrogate is all that \p{Surrogate} matches where pairs are read as one.
    if (/\p{Surrogate}/u.test(value)) {
      throw this.#wrong(name, 'a string of Unicode scalar values (it has a lone surrogate)');
    }
    return value;
  }

  /**
   * A whole number, `least .. most`.
   *
   * @param {string} name
   * @param {number} [least]
   * @param {number} [most]
   * @returns {number}
   */
  integer(name, least = 0, most = Number.MAX_SAFE_INTEGER) {
    const value = this.#get(name);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      throw this.#wrong(name, `a whole number, ${least} .. ${most}`);
    }
    return value;
  }

  /**
   * A SHA-256 in lower-case hexadecimal.
   *
   * @param {string} name
   * @returns {string}
   */
  sha256(name) {
    const value = this.text(name);
    if (!/^[0-9a-f]{64}$/.test(value)) throw this.#wrong(name, 'a SHA-256 of 64 lower-case hex digits');
    return value;
  }

  /**
   * An absolute path.
   *
   * @param {string} name
   * @returns {string}
   */
  path(name) {
    const path = this.text(name);
    if (!this.#isAbsolute(path) || path.includes('\0')) throw this.#wrong(name, 'an absolute path');
    return path;
  }

  /**
   * An absolute path, or nothing where the member is missing.
   *
   * @param {string} name
   * @returns {string | undefined}
   */
  optionalPath(name) {
    return this.#members.has(name) ? this.path(name) : undefined;
  }

  /**
   * A list of ids.
   *
   * @param {string} name
   * @returns {number[]}
   */
  ids(name) {
    const value = this.#get(name);
    if (!Array.isArray(value) || !value.every((id) => Number.isInteger(id) && id >= 0)) {
      throw this.#wrong(name, 'a list of whole numbers');
    }
    return value;
  }

  /**
   * An object with members of its own.
   *
   * @param {string} name
   * @returns {Parameters}
   */
  object(name) {
    return new Parameters(`${this.#op}: ${name}`, this.#get(name), this.#isAbsolute);
  }

  /** Throws when a member is there that nobody asked for. */
  checkAllAsked() {
    const unknown = [...this.#members.keys()].filter((name) => !this.#asked.has(name)).sort();
    if (unknown.length > 0) {
      throw new UsageError(`${this.#op}: there is no parameter ${unknown.map((name) => `"${name}"`).join(', ')}`, HINT);
    }
  }

  /** @param {string} name */
  #get(name) {
    this.#asked.add(name);
    if (!this.#members.has(name)) throw new UsageError(`${this.#op}: the parameter "${name}" is missing`, HINT);
    return this.#members.get(name);
  }

  /**
   * @param {string} name
   * @param {string} expected
   */
  #wrong(name, expected) {
    return new UsageError(`${this.#op}: the parameter "${name}" is not ${expected}`, HINT);
  }
}
