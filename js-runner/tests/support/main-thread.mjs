/**
 * What the page's main thread does while something is done with the page.
 *
 * Owns the browser's trace of it. Tasks are measured twice: as the browser's own observer of long tasks has them, by the clock, which counts
 * also the time in which the machine did something else; and by the processor's time, which does not.
 *
 * @module
 */

import assert from 'node:assert/strict';

/** @typedef {import('playwright-core').Page} Page */

/**
 * Milliseconds of tasks. `longTasks` are those of 50 and more by the clock.
 *
 * @typedef {{ tasks: number, longest: number, longestOnProcessor: number, longTasks: number[] }} MainThread
 */

const CATEGORY = 'disabled-by-default-devtools.timeline';
const TASK = 'RunTask';

/**
 * Has the page remember its long tasks; to be called before it is opened again.
 *
 * @param {Page} page
 */
export async function observeLongTasks(page) {
  await page.addInitScript(() => {
    /** @type {number[]} */
    const longTasks = [];
    Reflect.set(globalThis, 'longTasks', longTasks);
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longTasks.push(duration);
    }).observe({ type: 'longtask' });
  });
}

/**
 * @param {Page} page one that remembers its long tasks
 * @param {() => Promise<void>} work
 * @returns {Promise<MainThread>}
 */
export async function measureMainThread(page, work) {
  /** @type {any[]} */
  const events = [];
  const session = await page.context().newCDPSession(page);
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const event of value) if (event.name === TASK || event.name === 'thread_name') events.push(event);
  });
  await page.evaluate(() => Reflect.get(globalThis, 'longTasks').splice(0));
  const traceConfig = { includedCategories: [CATEGORY, '__metadata'] };
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig });
  await work();
  const longTasks = await page.evaluate(() => Reflect.get(globalThis, 'longTasks'));
  /** @type {Promise<{ dataLossOccurred: boolean }>} */
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  assert.equal((await complete).dataLossOccurred, false, 'the trace has not all tasks');
  await session.detach();
  const threadOf = (/** @type {any} */ { pid, tid }) => `${pid} ${tid}`;
  const names = events.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const mains = new Set(names.map(threadOf));
  const tasks = events.filter((event) => event.name === TASK && event.ph === 'X' && mains.has(threadOf(event)));
  const longestOf = (/** @type {string} */ field) =>
    tasks.reduce((most, task) => Math.max(most, task[field] / 1000), 0);
  return { tasks: tasks.length, longest: longestOf('dur'), longestOnProcessor: longestOf('tdur'), longTasks };
}
