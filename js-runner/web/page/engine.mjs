/**
 * The worker, seen from the page: requests go to it, what it tells and answers comes back.
 *
 * Owns the worker's life: a run is cancelled by the end of the worker, and another takes its place. One that failed is ended too, and the next
 * `open` starts another.
 *
 * @module
 */

/** @typedef {import('../worker/worker.mjs').Request} Request */
/** @typedef {import('../worker/worker.mjs').Reply} Reply */

/** An error as the worker told it. */
export class EngineError extends Error {
  /** @param {{ code: string, message: string, hint: string }} error */
  constructor({ code, message, hint }) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** Nobody waits for the answer any more. */
export class CancelledError extends Error {}

/**
 * What is told of a request that goes on.
 *
 * @typedef {(news: { stage: string } | { fetched: number, total: number } | { done: number, tokens: number, seconds: number }) => void} Listen
 */

/**
 * Without its id.
 *
 * @template T
 * @typedef {T extends unknown ? Omit<T, 'id'> : never} WithoutId
 */

export class Engine {
  #script;
  /** Undefined where it failed. @type {Worker | undefined} */
  #worker;
  #lastId = 0;
  /** @type {Map<number, { listen: Listen, resolve: (result: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();

  /** @param {string} script the worker's address */
  constructor(script) {
    this.#script = script;
    this.#worker = this.#start();
  }

  /** Whether the worker failed: until `open` is asked, which starts another, nothing else is answered. */
  get isDown() {
    return this.#worker === undefined;
  }

  /**
   * @param {WithoutId<Request>} request
   * @param {Listen} [listen]
   * @returns {Promise<any>} its result
   * @throws {EngineError | CancelledError}
   */
  ask(request, listen = () => {}) {
    if (request.op === 'open') this.#worker ??= this.#start();
    const worker = this.#worker;
    if (!worker) return Promise.reject(failure('the worker failed'));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { listen, resolve, reject });
      worker.postMessage({ id, ...request });
    });
  }

  /** Ends all that goes on; the model has to be opened again. */
  cancel() {
    this.#worker?.terminate();
    this.#worker = this.#start();
    this.#rejectAll(new CancelledError('cancelled'));
  }

  #start() {
    const worker = new Worker(this.#script, { type: 'module' });
    worker.addEventListener('message', ({ data }) => this.#hear(data));
    worker.addEventListener('error', (event) => {
      if (worker !== this.#worker) return;
      // Nobody knows what it still does: whatever waits for it could wait for ever.
      worker.terminate();
      this.#worker = undefined;
      this.#rejectAll(failure(event.message || 'the worker could not be started'));
    });
    return worker;
  }

  /** @param {Reply} reply */
  #hear(reply) {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    if ('result' in reply || 'error' in reply) this.#waiting.delete(reply.id);
    if ('result' in reply) waiting.resolve(reply.result);
    else if ('error' in reply) waiting.reject(new EngineError(reply.error));
    else waiting.listen(reply);
  }

  /** @param {Error} error */
  #rejectAll(error) {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(error);
  }
}

/** @param {string} message */
function failure(message) {
  const hint = 'load the page again; if it goes on, there may be too little memory for this model';
  return new EngineError({ code: 'internal', message, hint });
}
