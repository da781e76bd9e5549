/**
 * The page: what a person does, and what comes of it.
 *
 * Owns the order of things on the main thread, which does no work of its own: that is the worker's.
 *
 * @module
 */

import { element, say, show } from './element.mjs';
import { CancelledError, Engine, EngineError } from './engine.mjs';
import { HeatMap } from './heat-map.mjs';
import { InputField } from './input.mjs';
import { offerVariants, showFetching, showModel, showModelFailure } from './model-card.mjs';
import { ProgressView } from './progress.mjs';
import { hideResult, showCompressed, showDecompressed } from './result.mjs';

const MOST_THREADS = 4;
const { worker = '', runtimeMjs = '', runtimeWasm = '' } = document.body.dataset;

const engine = new Engine(new URL(worker, document.baseURI).href);
const progress = new ProgressView();
const heatMap = new HeatMap((start, count) => engine.ask({ op: 'pieces', start, count }));
const compressButton = element('compress', HTMLButtonElement);
const decompressButton = element('decompress', HTMLButtonElement);
const field = new InputField(showActions);
/** The variant that was chosen; the server's choice unless one was. @type {string | undefined} */
let dtype;
let isBusy = false;

compressButton.addEventListener('click', () => void run('compress'));
decompressButton.addEventListener('click', () => void run('decompress'));
element('cancel').addEventListener('click', () => {
  engine.cancel();
  void openModel();
});
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape' && isBusy) element('cancel').click();
});

showActions();
void openModel();
void keepForOffline();

/** Threads of WebAssembly need a page that is cross-origin isolated; one core is left to the page. */
function threads() {
  return crossOriginIsolated ? Math.min(Math.max(navigator.hardwareConcurrency - 1, 1), MOST_THREADS) : 1;
}

async function openModel() {
  try {
    const runtimeFiles = { mjs: runtimeMjs, wasm: runtimeWasm };
    const request = {
      op: /** @type {const} */ ('open'),
      base: document.baseURI,
      runtimeFiles,
      threads: threads(),
      dtype,
    };
    const story = await engine.ask(request, (news) => {
      if ('fetched' in news) showFetching(news.fetched, news.total);
    });
    showModel(story);
    offer(story);
  } catch (error) {
    if (error instanceof CancelledError) return;
    const { message, hint } = asEngineError(error);
    showModelFailure(message, hint);
  }
}

/**
 * The variants of a model that the server's or the person's choice loaded.
 *
 * @param {import('../worker/model.mjs').ModelStory} story
 */
function offer(story) {
  offerVariants(story, (chosen) => {
    dtype = chosen;
    void openModel();
  });
}

/** @param {'compress' | 'decompress'} way */
async function run(way) {
  const { input } = field;
  if (!input || isBusy) return;
  isBusy = true;
  showActions();
  show('failure', false);
  hideResult();
  heatMap.hide();
  progress.begin(way === 'compress' ? `Compressing ${input.name}` : `Decompressing ${input.name}`);
  element('cancel').focus();
  // The worker is asked in order: the model is there before the run.
  if (engine.isDown) void openModel();
  try {
    const { name, content } = input;
    if (way === 'compress') {
      const result = await engine.ask({ op: way, input: content, dtype }, progress.listen);
      showCompressed(name, result);
      // A model that could not be had before may have come with the run.
      showModel(result.story);
      offer(result.story);
      void heatMap.show(result.tokens).catch(() => {});
    } else {
      const result = await engine.ask({ op: way, input: content }, progress.listen);
      await showDecompressed(name, result);
      // The container's, which need not be the one that was chosen.
      showModel(result.story);
    }
    ended('result-heading');
  } catch (error) {
    if (error instanceof CancelledError) {
      ended(way);
      say('status', 'Cancelled. Nothing was written.');
      return;
    }
    const { code, message, hint } = asEngineError(error);
    say('failure-message', sentence(message));
    say('failure-hint', sentence(hint));
    say('failure-code', code);
    show('failure', true);
    ended('failure-heading');
  }
}

/** @param {string} focused where the reader of the page goes on */
function ended(focused) {
  isBusy = false;
  progress.end();
  showActions();
  element(focused).focus();
}

function showActions() {
  const { input } = field;
  compressButton.disabled = decompressButton.disabled = isBusy || input === undefined;
  compressButton.classList.toggle('primary', !input?.isContainer);
  decompressButton.classList.toggle('primary', input?.isContainer === true);
}

async function keepForOffline() {
  // Without it the page works, as long as there is a server.
  await navigator.serviceWorker?.register('service-worker.js', { updateViaCache: 'none' }).catch(() => {});
}

/** @param {unknown} error */
function asEngineError(error) {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new EngineError({ code: 'internal', message, hint: 'load the page again' });
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}
