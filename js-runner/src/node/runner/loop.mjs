/**
 * The protocol's lines (PROTOCOL.md): requests from stdin, replies to the data stream. Owns the form of messages; what a request
 * means is `operations`'.
 *
 * @module
 */

import { asLlmzipError, UsageError } from '../../core/errors.mjs';
import { parseLine } from './line-json.mjs';
import { readLines } from './lines.mjs';

/** @typedef {import('../data-stream.mjs').DataStream} DataStream */
/** @typedef {{ id: number, op: string, params: unknown }} Request */
/** @typedef {import('../../core/compressor/progress.mjs').Progress} Progress */
/** @typedef {{ run: (op: string, params: unknown, progress: Progress) => Promise<object> }} Answerer gives results, or throws an `LlmzipError` */

// Without the end of the line.
const MAX_LINE = 2 ** 26;
const PROGRESS_MILLISECONDS = 250;
// The id of a reply to a line whose own id cannot be read.
const NO_ID = 0;
const FORM_HINT = 'send one JSON object a line: {"id": 1, "op": "hello", "params": {"protocol": 1}}';

/**
 * Answers requests until `bye` or the end of the stream.
 *
 * @param {AsyncIterable<Uint8Array>} requests
 * @param {DataStream} replies
 * @param {Answerer} operations
 * @returns {Promise<void>}
 * @throws {import('../../core/errors.mjs').IoError} nobody reads the replies
 */
export async function serve(requests, replies, operations) {
  for await (const line of readLines(requests, MAX_LINE)) {
    const sender = new Sender(replies);
    try {
      if (line === undefined) throw new UsageError(`a line has more than ${MAX_LINE} bytes`, FORM_HINT);
      const message = parse(line);
      sender.id = idOf(message);
      const { op, params } = requestOf(message);
      await sender.result(await operations.run(op, params, (done, total) => sender.progress(done, total)));
      if (op === 'bye') return;
    } catch (thrown) {
      if (sender.broken) throw sender.broken;
      const error = asLlmzipError(thrown);
      if (error.code === 'internal')
        process.stderr.write(`${error.cause instanceof Error ? error.cause.stack : error.stack}\n`);
      await sender.error(error);
    }
  }
}

/** Sends what answers one request. */
class Sender {
  id = NO_ID;
  /** Why nobody gets the replies, if so. @type {unknown} */
  broken;
  #replies;
  #nextProgress = 0;
  /** @type {Promise<void>} */
  #sent = Promise.resolve();

  /** @param {DataStream} replies */
  constructor(replies) {
    this.#replies = replies;
  }

  /** @param {object} result */
  async result(result) {
    const line = toLine({ id: this.id, result });
    if (line.length - 1 > MAX_LINE) {
      throw new UsageError(`the reply has ${line.length - 1} bytes, more than a line may`, 'ask for less at once');
    }
    await this.#send(line);
  }

  /** @param {import('../../core/errors.mjs').LlmzipError} error */
  async error({ code, message, hint }) {
    await this.#send(toLine({ id: this.id, error: { code, message, hint } }));
  }

  /**
   * Sends progress, but not more often than is useful; the first at once.
   *
   * @param {number} done
   * @param {number} total
   * @throws {unknown} an earlier one found nobody who reads
   */
  progress(done, total) {
    const now = performance.now();
    if (now < this.#nextProgress) return;
    this.#nextProgress = now + PROGRESS_MILLISECONDS;
    if (this.broken) throw this.broken;
    // Not waited for here: a broken stream shows at the next progress, or at the reply.
    this.#send(toLine({ id: this.id, progress: { done, total } })).catch(() => {});
  }

  /** @param {Uint8Array} line */
  #send(line) {
    this.#sent = this.#sent
      .then(() => this.#replies.write(line))
      .catch((error) => {
        this.broken = error;
        throw error;
      });
    return this.#sent;
  }
}

/**
 * @param {Uint8Array} line
 * @returns {Record<string, unknown>}
 * @throws {UsageError}
 */
function parse(line) {
  let message;
  try {
    message = parseLine(line);
  } catch (error) {
    throw new UsageError(`a line is not JSON: ${error instanceof Error ? error.message : error}`, FORM_HINT);
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw new UsageError('a line is not a JSON object', FORM_HINT);
  }
  return /** @type {Record<string, unknown>} */ (message);
}

/**
 * @param {Record<string, unknown>} message
 * @returns {number}
 * @throws {UsageError}
 */
function idOf({ id }) {
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
    throw new UsageError('a request has no id, or one that is not a whole number', FORM_HINT);
  }
  return id;
}

/**
 * @param {Record<string, unknown>} message
 * @returns {{ op: string, params: unknown }}
 * @throws {UsageError}
 */
function requestOf(message) {
  const { id: _, op, params = {}, ...others } = message;
  if (typeof op !== 'string' || Object.keys(others).length > 0) {
    throw new UsageError('a request is not of the form id, op, params', FORM_HINT);
  }
  return { op, params };
}

/** @param {unknown} reply */
function toLine(reply) {
  return new TextEncoder().encode(`${JSON.stringify(reply)}\n`);
}
