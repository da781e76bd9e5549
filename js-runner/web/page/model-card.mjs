/**
 * What the page says of its model: name, hash, and whether it can be relied on. Owns the words.
 *
 * @module
 */

import { element, make, say, show } from './element.mjs';
import { amount } from './words.mjs';

/** @typedef {import('../worker/model.mjs').ModelStory} ModelStory */

/** @param {ModelStory} story */
export function showModel(story) {
  const { name, dtype, sha256, tokenizerSha256, bytes, known, exact, reason, eps, runtime, threads, kept } = story;
  state(`${name}, ${dtype}, is loaded.`);
  say('model-name', `${name}, variant ${dtype}, ${amount(bytes)}`);
  say('model-sha256', sha256);
  say('model-tokenizer', tokenizerSha256);
  say('model-runtime', `${runtime} in WebAssembly, ${threads === 1 ? 'one thread' : `${threads} threads`}`);
  verdict(
    'model-verified',
    known,
    known
      ? 'Verified: every file has the SHA-256 of the manifest'
      : 'No manifest knows these files: nothing vouches for them',
  );
  verdict(
    'model-exact',
    exact,
    exact
      ? 'Exact: the same bits on every machine, so that every LLMzip reads what is written here'
      : `Not exact (${reason}): a reader may differ by ${eps} of a log-prob at most`,
  );
  verdict(
    'model-kept',
    kept,
    kept ? 'Kept in this browser: the page works without its server' : 'Not kept: the page needs its server',
  );
  show('model-story', true);
}

/** @param {number} done @param {number} total bytes */
export function showFetching(done, total) {
  state(`Loading the model: ${amount(done)} of ${amount(total)}`);
}

/** @param {string} message @param {string} hint */
export function showModelFailure(message, hint) {
  state(`The model cannot be used: ${message}. ${hint}.`, true);
  show('model-story', false);
}

/**
 * The variants that may be chosen; nothing is shown where there is no choice.
 *
 * @param {ModelStory} story
 * @param {(dtype: string) => void} choose
 */
export function offerVariants({ dtypes, dtype }, choose) {
  const select = element('variant', HTMLSelectElement);
  select.replaceChildren(
    ...dtypes.map((each) => {
      const option = /** @type {HTMLOptionElement} */ (make('option', each));
      option.value = each;
      option.selected = each === dtype;
      return option;
    }),
  );
  select.onchange = () => choose(select.value);
  show('model-choice', dtypes.length > 1);
}

/**
 * @param {string} text
 * @param {boolean} [isFailure]
 */
function state(text, isFailure = false) {
  say('model-state', text);
  element('model-state').classList.toggle('failure', isFailure);
}

/**
 * @param {string} id
 * @param {boolean} good
 * @param {string} text
 */
function verdict(id, good, text) {
  const item = element(id);
  item.className = good ? 'good' : 'doubtful';
  item.textContent = text;
}
