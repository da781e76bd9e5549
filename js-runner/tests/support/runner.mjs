/**
 * A runner as a real process, and the schemas that its messages are held to.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';

export const BIN = fileURLToPath(new URL('../../bin/llmzip.mjs', import.meta.url));
const SCHEMAS = new URL('../../../harness/schemas/protocol.json', import.meta.url);
// Longer than any answer takes on a slow machine; only a hang is ended by it.
const PATIENCE_MILLISECONDS = 120_000;

/** Why messages cannot be held to their schemas, or false. */
export const withoutSchemas = existsSync(SCHEMAS) ? false : 'harness/schemas/protocol.json is not here';

const ajv = new Ajv2020({ strict: false, allErrors: true });
if (!withoutSchemas) ajv.addSchema(JSON.parse(readFileSync(SCHEMAS, 'utf8')), 'protocol');

/**
 * @param {string} definition
 * @param {unknown} value
 */
export function assertSchema(definition, value) {
  if (withoutSchemas) return;
  const validate = ajv.getSchema(`protocol#/$defs/${definition}`);
  assert.ok(validate, `there is no schema ${definition}`);
  assert.ok(
    validate(value),
    `${definition}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value).slice(0, 400)}`,
  );
}

/** Ends when nobody can wait for it any more. @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** @typedef {{ env?: NodeJS.ProcessEnv, args?: string[], program?: string[] }} RunnerOptions `program` is Node's first arguments */

export class Runner {
  /** Lines that came before they were waited for. @type {string[]} */
  #lines = [];
  /** @type {((line: string | undefined) => void) | undefined} */
  #waiting;
  #nextId = 1;
  #ended = false;
  stderr = '';

  /** @param {RunnerOptions} [options] */
  constructor({ env, args = [], program = [BIN, 'runner'] } = {}) {
    this.child = spawn(process.execPath, [...program, ...args], { env: { ...process.env, ...env } });
    running.add(this.child);
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.child.stdin.on('error', () => {});
    const lines = createInterface({ input: this.child.stdout });
    lines.on('line', (line) => this.#arrive(line));
    lines.on('close', () => {
      this.#ended = true;
      this.#waiting?.(undefined);
    });
    /** @type {Promise<number | string>} */
    this.exit = once(this.child, 'exit').then(([code, signal]) => {
      running.delete(this.child);
      return code ?? signal;
    });
  }

  /** @param {string | Uint8Array} line */
  write(line) {
    this.child.stdin.write(line);
  }

  /**
   * The next line of the stream, as JSON that is a reply.
   *
   * @returns {Promise<any>} nothing at the end of the stream
   */
  async receive() {
    const line = this.#lines.shift() ?? (this.#ended ? undefined : await this.#next());
    if (line === undefined) return undefined;
    const reply = JSON.parse(line);
    assertSchema('reply', reply);
    return reply;
  }

  /**
   * Sends a request and waits for what ends it; both are held to their schemas.
   *
   * @param {string} op
   * @param {object} [params]
   * @returns {Promise<{ result?: any, error?: any, progress: { done: number, total: number }[] }>}
   */
  async ask(op, params) {
    const request = { id: this.#nextId++, op, ...(params && { params }) };
    this.write(`${JSON.stringify(request)}\n`);
    const progress = [];
    for (;;) {
      const reply = await this.receive();
      assert.ok(reply, `the runner ended: ${this.stderr}`);
      assert.equal(reply.id, request.id);
      if (reply.progress) progress.push(reply.progress);
      else if (reply.error) return { error: reply.error, progress };
      else {
        assertSchema(`${op}.request`, request);
        assertSchema(`${op}.result`, reply.result);
        return { result: reply.result, progress };
      }
    }
  }

  /**
   * Sends a request that may be of any form, and waits for what ends it.
   *
   * @param {string} op
   * @param {unknown} params
   * @returns {Promise<string | null>} the code of the error, or null
   */
  async codeOf(op, params) {
    const id = this.#nextId++;
    this.write(`${JSON.stringify({ id, op, params })}\n`);
    for (;;) {
      const reply = await this.receive();
      assert.equal(reply?.id, id, this.stderr);
      if (!reply.progress) return reply.error?.code ?? null;
    }
  }

  /** @returns {Promise<string | undefined>} */
  #next() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`the runner does not answer: ${this.stderr}`)),
        PATIENCE_MILLISECONDS,
      );
      this.#waiting = (line) => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve(line);
      };
    });
  }

  /** @param {string} line */
  #arrive(line) {
    if (this.#waiting) this.#waiting(line);
    else this.#lines.push(line);
  }
}

/**
 * A runner that is ended after the test.
 *
 * @param {import('node:test').TestContext} context
 * @param {RunnerOptions} [options]
 */
export function startRunner(context, options) {
  const runner = new Runner(options);
  context.after(async () => {
    runner.child.stdin.end();
    await runner.exit;
  });
  return runner;
}
