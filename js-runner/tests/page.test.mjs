/** The page in Chromium, driven as a person would: what it writes and reads, what it refuses, and who can use it. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openContainer } from '../src/core/compressor/decode.mjs';
import { writePreamble } from '../src/core/container/layout.mjs';
import { TINY, temporaryFolder } from './support/model-folder.mjs';
import { Browser, download, drop, ending, picture, press, ready, startServer, withoutPage } from './support/page.mjs';
import { BIN } from './support/runner.mjs';

/** @typedef {import('playwright-core').Page} Page */

const TEXT = `${readFileSync(join(TINY, 'samples', 'mixed-10k.txt'), 'utf8').slice(-4000)}\nÜnïcode 漢字 😀, which it did not expect.\n`;
const PLAIN = Buffer.from(TEXT);
/** Enough for a container with every part; a lane is decoded token by token. */
const SHORT = Buffer.from(TEXT.slice(-700));
/** What the Rust library wrote. */
const GOLDEN = fileURLToPath(new URL('../../golden/tiny/exact/', import.meta.url));
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/**
 * What the command line makes of the same bytes.
 *
 * @param {import('node:test').TestContext} context
 * @param {Uint8Array} plain
 * @param {string[]} [args]
 */
function byCommand(context, plain, args = []) {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, 'plain'), plain);
  const words = [
    BIN,
    'compress',
    join(folder, 'plain'),
    '-o',
    join(folder, 'out'),
    '--model',
    TINY,
    '--quiet',
    ...args,
  ];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return readFileSync(join(folder, 'out'));
}

/**
 * What axe finds wrong with the page as it is.
 *
 * @param {Page} page
 */
async function accessibilityFaults(page) {
  await page.evaluate(readFileSync(AXE, 'utf8'));
  const { violations } = await page.evaluate(() => Reflect.get(globalThis, 'axe').run());
  return violations.map((/** @type {any} */ { id, help, nodes }) => ({
    id,
    help,
    where: nodes.map((/** @type {any} */ node) => node.html.slice(0, 120)),
  }));
}

suite('the page', { skip: withoutPage }, () => {
  /** @type {Awaited<ReturnType<typeof startServer>>} */
  let server;
  /** @type {Browser} */
  let browser;
  before(async () => {
    server = await startServer(['--model', TINY]);
    browser = await Browser.start(server.url);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /**
   * A test of one page, which may have asked no other site and thrown nothing.
   *
   * @param {string} name
   * @param {(page: Page, context: import('node:test').TestContext) => Promise<void>} work
   */
  const pageTest = (name, work) =>
    test(name, async (context) => {
      const page = await browser.open();
      try {
        await work(page, context);
        assert.deepEqual(browser.faults, []);
      } finally {
        browser.faults = [];
        await page.close();
      }
    });

  pageTest('a file goes there, is loaded down, and comes back after a reload', async (page, context) => {
    await drop(page, 'notes.txt', SHORT);
    assert.equal(await press(page, 'Compress'), 'result');
    const packed = await download(page);
    assert.equal(packed.name, 'notes.txt.llmzip');
    assert.ok(packed.bytes.equals(byCommand(context, SHORT)), 'the command writes other bytes');
    await page.reload();
    await ready(page);
    await drop(page, packed.name, packed.bytes);
    assert.match(await page.locator('#chosen-about').innerText(), /an LLMzip container$/);
    assert.equal(await press(page, 'Decompress'), 'result');
    const back = await download(page);
    assert.equal(back.name, 'notes.txt');
    assert.ok(back.bytes.equals(SHORT));
    assert.equal(await page.locator('#preview-text').evaluate((each) => each.textContent), SHORT.toString());
  });

  pageTest('text that is typed, and a long one that is pasted', async (page, context) => {
    const compress = page.getByRole('button', { name: 'Compress', exact: true });
    assert.ok(await compress.isDisabled());
    await page.getByLabel('Or type or paste text').fill('1\n2\n3\n4\n5\n');
    assert.equal(await press(page, 'Compress'), 'result');
    const typed = await download(page);
    assert.equal(typed.name, 'text.txt.llmzip');
    assert.ok(typed.bytes.equals(byCommand(context, Buffer.from('1\n2\n3\n4\n5\n'))));
    await page.getByLabel('Or type or paste text').evaluate((field) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', '1,2,3\n'.repeat(10_000));
      field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    });
    await page.getByText('pasted.txt').waitFor();
    assert.match(await page.locator('#chosen-about').innerText(), /^58\.6 KiB/);
    await page.getByRole('button', { name: 'Take another input' }).click();
    assert.ok(await page.getByLabel('Or type or paste text').isVisible());
  });

  pageTest('any bytes, and what Rust wrote', async (page, context) => {
    const bytes = Uint8Array.from({ length: 700 }, (_, i) => (i * i * 31 + (i >> 3)) % 256);
    for (const [name, plain] of Object.entries({
      bytes,
      empty: new Uint8Array(),
      mixed: Buffer.from('ab\xffcd 12\n', 'latin1'),
    })) {
      await drop(page, name, plain);
      assert.equal(await press(page, 'Compress'), 'result', name);
      const packed = await download(page);
      assert.ok(packed.bytes.equals(byCommand(context, plain)), name);
      await drop(page, packed.name, packed.bytes);
      assert.equal(await press(page, 'Decompress'), 'result', name);
      assert.ok((await download(page)).bytes.equals(plain), name);
    }
    const written = {
      'special-tokens': '<|im_start|>user\nsay <|endoftext|> twice<|im_end|>\n',
      crlf: 'one\r\ntwo\r\n\r\nthree\rfour\n',
      'one-byte': 'a',
      empty: '',
    };
    for (const [name, text] of Object.entries(written)) {
      await drop(page, `${name}.llmzip`, readFileSync(join(GOLDEN, `${name}.llmzip`)));
      assert.equal(await press(page, 'Decompress'), 'result', name);
      assert.equal((await download(page)).bytes.toString(), text, name);
    }
  });

  pageTest('another variant, chosen, and found by its hash', async (page, context) => {
    await page.getByLabel('Compress with').selectOption('q4');
    await page.getByText('tiny, q4, is loaded.').waitFor();
    assert.match(await page.locator('#model-exact').innerText(), /^Not exact .* 2e-4 /);
    const written = byCommand(context, SHORT, ['--variant', 'exact']);
    await drop(page, 'exact.llmzip', written);
    assert.equal(await press(page, 'Decompress'), 'result');
    assert.ok((await download(page)).bytes.equals(SHORT));
    await page.getByRole('button', { name: 'Take another input' }).click();
    await page.getByLabel('Or type or paste text').fill('1\n2\n3\n4\n');
    assert.equal(await press(page, 'Compress'), 'result');
    const { bytes } = await download(page);
    await drop(page, 'q4.llmzip', bytes);
    assert.equal(await press(page, 'Decompress'), 'result');
    assert.equal((await download(page)).bytes.toString(), '1\n2\n3\n4\n');
  });

  pageTest(
    'what is no container, or damaged, or of another model, is refused with the reason',
    async (page, context) => {
      const good = byCommand(context, SHORT);
      /** @type {(name: string, content: Uint8Array, code: string, message: RegExp) => Promise<void>} */
      const check = async (name, content, code, message) => {
        await drop(page, name, content);
        assert.equal(await press(page, 'Decompress'), 'failure', name);
        assert.equal(await page.locator('#failure-code').innerText(), code, name);
        assert.match(await page.locator('#failure-message').innerText(), message, name);
        assert.notEqual(await page.locator('#failure-hint').innerText(), '', name);
        assert.equal(await page.evaluate(() => document.activeElement?.id), 'failure-heading', name);
        assert.equal(await page.locator('#download a').isVisible(), false, name);
      };
      /** @type {(place: number) => Uint8Array} */
      const flipped = (place) => good.map((byte, i) => (i === place ? byte ^ 0x10 : byte));
      await check(
        'picture.png',
        Buffer.from('\x89PNG\r\n\x1a\nand so on', 'latin1'),
        'format',
        /^Byte 2 is not that of an LLMzip/,
      );
      await check('prose.llmzip', PLAIN, 'format', /^Byte 1 is not that of an LLMzip container\.$/);
      await check('empty.llmzip', new Uint8Array(), 'format', /./);
      await picture(page, 'failure-light');
      assert.deepEqual(await accessibilityFaults(page), []);
      await check('head.llmzip', flipped(20), 'format', /preamble/);
      await check('frame.llmzip', flipped(good.length - 60), 'format', /crc32/);
      await check('end.llmzip', flipped(good.length - 10), 'format', /./);
      await check('cut.llmzip', good.subarray(0, good.length - 20), 'format', /./);
      await check('longer.llmzip', Buffer.concat([good, Buffer.from('x')]), 'format', /./);
      const { preamble } = await openContainer([good]);
      const head = writePreamble(preamble).length;
      const foreign = writePreamble({ ...preamble, modelSha256: 'ab'.repeat(32) });
      const words =
        /^The container was made with the model of SHA-256 (ab){32}; this page has tiny exact [0-9a-f]{64}, /;
      await check('foreign.llmzip', Buffer.concat([foreign, good.subarray(head)]), 'integrity', words);
      // And it goes on working.
      await drop(page, 'good.llmzip', good);
      assert.equal(await press(page, 'Decompress'), 'result');
      assert.ok((await download(page)).bytes.equals(SHORT));
    },
  );

  pageTest('a run that is cancelled leaves nothing, and the next one works', async (page) => {
    await drop(page, 'long.txt', Buffer.from(TEXT.repeat(100)));
    await page.getByRole('button', { name: 'Compress', exact: true }).click();
    await page.getByText(/tokens\/s/).waitFor();
    assert.match(await page.locator('#figures').innerText(), /^\d+ %, [\d,]+ tokens, [\d,]+ tokens\/s, [\d:]+ left$/);
    await picture(page, 'work-light');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('#work').waitFor({ state: 'hidden' });
    assert.equal(await page.locator('#result').isVisible(), false);
    assert.equal(await page.locator('#failure').isVisible(), false);
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'compress');
    assert.match(await page.locator('#status').innerText(), /^Cancelled/);
    await page.getByRole('button', { name: 'Take another input' }).click();
    await page.getByLabel('Or type or paste text').fill('1\n2\n3\n');
    assert.equal(await press(page, 'Compress'), 'result');
    // Escape does the same.
    await drop(page, 'long.txt', Buffer.from(TEXT.repeat(100)));
    await page.getByRole('button', { name: 'Compress', exact: true }).click();
    await page.getByText(/tokens\/s/).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#work').waitFor({ state: 'hidden' });
    assert.equal(await page.locator('#result').isVisible(), false);
  });

  pageTest('the keyboard alone is enough', async (page) => {
    /** Goes on with Tab until the focus is on an element. @type {(id: string) => Promise<void>} */
    const tabTo = async (id) => {
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press('Tab');
        if ((await page.evaluate(() => document.activeElement?.id ?? '')) === id) return;
      }
      assert.fail(`Tab does not come to ${id}`);
    };
    const focused = () => page.evaluate(() => document.activeElement?.id);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the input');
    await page.keyboard.press('Enter');
    await tabTo('file');
    await tabTo('text');
    await page.keyboard.type('1, 2, 3, 4, 5, 6, seven');
    await tabTo('compress');
    await page.keyboard.press('Enter');
    assert.equal(await ending(page), 'result');
    assert.equal(await focused(), 'result-heading');
    await page.keyboard.press('Tab');
    const packed = await download(page, () => page.keyboard.press('Enter'));
    assert.equal(packed.name, 'text.txt.llmzip');
    await tabTo('heat-index');
    await page.keyboard.press('ArrowRight');
    assert.match(
      String(await page.locator('#heat-index').getAttribute('aria-valuetext')),
      /^(Token|\d tokens) “.*”: [\d.]+ bits$/,
    );
    assert.equal(await page.locator('#heat-map .selected').count(), 1);
    await tabTo('variant');
  });

  pageTest('what the model was surprised by is to be seen', async (page) => {
    await drop(page, 'notes.txt', PLAIN);
    assert.equal(await press(page, 'Compress'), 'result');
    const map = page.locator('#heat-map');
    await map.locator('span').nth(100).waitFor();
    assert.ok(
      TEXT.startsWith((await map.evaluate((each) => each.textContent ?? '')).replaceAll('↵', '').slice(0, 300)),
    );
    const row = page.locator('#sizes-rows tr');
    assert.deepEqual(await row.locator('th').allInnerTexts(), ['plain', 'gzip', 'zstd, level 19', 'LLMzip']);
    const sizes = (await row.locator('td:nth-child(2)').allInnerTexts()).map((text) =>
      Number(text.replaceAll(',', '')),
    );
    assert.equal(sizes[0], PLAIN.length);
    assert.ok(sizes[3] < sizes[1] && sizes[3] < sizes[2], String(sizes));
    // The characters that no other part of the text has are at its end.
    const slider = page.getByLabel('Part of the text');
    await slider.press('End');
    await map.getByText('漢').waitFor();
    assert.ok((await page.locator('#heat-surprises tr').count()) === 8);
    for (const scheme of /** @type {const} */ (['light', 'dark'])) {
      await page.emulateMedia({ colorScheme: scheme });
      await picture(page, `result-${scheme}`);
      assert.deepEqual(await accessibilityFaults(page), [], scheme);
    }
    await page.setViewportSize({ width: 320, height: 700 });
    await picture(page, 'result-narrow');
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
  });

  pageTest('the page as it opens, in both colours and narrow', async (page) => {
    for (const scheme of /** @type {const} */ (['light', 'dark'])) {
      await page.emulateMedia({ colorScheme: scheme });
      await picture(page, `start-${scheme}`);
      assert.deepEqual(await accessibilityFaults(page), [], scheme);
    }
    await page.setViewportSize({ width: 320, height: 700 });
    await picture(page, 'start-narrow');
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
    assert.equal(
      await page.locator('#model-verified').innerText(),
      'Verified: every file has the SHA-256 of the manifest',
    );
    assert.match(await page.locator('#model-exact').innerText(), /^Exact:/);
    assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  });
});
