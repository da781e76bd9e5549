/**
 * The page around the worker. Owns nothing but to say when the worker cannot go on.
 *
 * @module
 */

/** @param {string} message */
const failed = (message) => fetch('failed', { method: 'POST', body: JSON.stringify(message) }).catch(() => {});

const worker = new Worker('worker.js', { type: 'module' });
worker.addEventListener('error', (event) => {
  void failed(event.message ? `the worker failed: ${event.message}` : 'the worker could not be started');
});
