/** The page's main thread while the worker compresses: it has nothing to do that would keep it from answering. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { measureMainThread, observeLongTasks } from './support/main-thread.mjs';
import { TINY, temporaryFolder } from './support/model-folder.mjs';
import { ARTEFACTS, Browser, ending, ready, startServer, withoutPage } from './support/page.mjs';

const MEGABYTE = 2 ** 20;
/** Of processor time: what the machine does beside it is not the page's. */
const MOST_MILLISECONDS = 50;
/** The whole takes many minutes, and is done where LLMZIP_WHOLE is set; what happens on the main thread is the same all along. */
const ENOUGH_TOKENS = process.env.LLMZIP_WHOLE ? Number.POSITIVE_INFINITY : 10_000;

suite('the main thread', { skip: withoutPage }, () => {
  test('has no long task while 1 MB of text is compressed, nor when a result is shown', async (context) => {
    const folder = temporaryFolder(context);
    const sample = readFileSync(join(TINY, 'samples', 'mixed-100k.txt'));
    const mega = join(folder, 'mega.txt');
    writeFileSync(mega, Buffer.alloc(MEGABYTE, sample));
    const small = join(folder, 'small.txt');
    writeFileSync(small, sample.subarray(0, 6000));
    const server = await startServer(['--model', TINY]);
    context.after(() => server.stop());
    const browser = await Browser.start(server.url);
    context.after(() => browser.close());
    const page = await browser.open();
    await observeLongTasks(page);
    await page.reload();
    await ready(page);
    const compress = page.getByRole('button', { name: 'Compress', exact: true });
    let tokens = 0;
    const running = await measureMainThread(page, async () => {
      await page.locator('#file').setInputFiles(mega);
      await compress.click();
      const cancel = page.getByRole('button', { name: 'Cancel' });
      await cancel.waitFor();
      while (tokens < ENOUGH_TOKENS && (await cancel.isVisible())) {
        const figures = await page.locator('#figures').innerText();
        tokens = Number(/([\d,]+) tokens,/.exec(figures)?.[1].replaceAll(',', '') ?? tokens);
        await setTimeout(20);
      }
      assert.ok(tokens > 0, 'no figures were shown');
      if (tokens >= ENOUGH_TOKENS) await cancel.click();
      else assert.equal(await ending(page), 'result');
      await page.locator('#work').waitFor({ state: 'hidden' });
    });
    await ready(page);
    await page.getByRole('button', { name: 'Take another input' }).click();
    const showing = await measureMainThread(page, async () => {
      await page.locator('#file').setInputFiles(small);
      await compress.click();
      assert.equal(await ending(page), 'result');
      await page.locator('#heat-map span').nth(500).waitFor();
    });
    mkdirSync(ARTEFACTS, { recursive: true });
    writeFileSync(join(ARTEFACTS, 'main-thread.json'), `${JSON.stringify({ tokens, running, showing }, null, 2)}\n`);
    for (const [what, { tasks, longestOnProcessor }] of Object.entries({ running, showing })) {
      assert.ok(tasks > 50, `${what}: ${tasks} tasks`);
      assert.ok(longestOnProcessor < MOST_MILLISECONDS, `${what}: a task of ${longestOnProcessor} ms`);
    }
    assert.deepEqual(browser.faults, []);
  });
});
