/**
 * What the page is to work on: a file that was dropped, chosen or pasted, or the text in the field.
 *
 * Owns the input's elements; looks at no more of a file than tells whether it is a container.
 *
 * @module
 */

import { MAGIC } from '../../src/core/container/layout/preamble.mjs';
import { element, say, show } from './element.mjs';
import { amount, isContainerName } from './words.mjs';

/** @typedef {{ name: string, content: Blob, isContainer: boolean }} Input */

// A field with more text than this would be slow to draw, and keep the page from answering.
const MOST_PASTED = 2 ** 15;
const PASTED_NAME = 'pasted.txt';
const TYPED_NAME = 'text.txt';

export class InputField {
  /** @type {Input | undefined} */
  #file;
  #changed;
  #text = element('text', HTMLTextAreaElement);
  #picker = element('file', HTMLInputElement);

  /** @param {() => void} changed told when there is another input */
  constructor(changed) {
    this.#changed = changed;
    this.#picker.addEventListener('change', () => {
      const [file] = this.#picker.files ?? [];
      if (file) void this.take(file.name, file);
    });
    this.#text.addEventListener('input', () => this.#changed());
    element('discard').addEventListener('click', () => {
      this.clear();
      this.#picker.focus();
    });
    document.addEventListener('dragover', (event) => {
      event.preventDefault();
      element('drop').classList.add('over');
    });
    document.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) element('drop').classList.remove('over');
    });
    document.addEventListener('drop', (event) => {
      event.preventDefault();
      element('drop').classList.remove('over');
      this.#takeFrom(event.dataTransfer);
    });
    document.addEventListener('paste', (event) => {
      if (this.#takeFrom(event.clipboardData)) event.preventDefault();
    });
  }

  /** @returns {Input | undefined} nothing where there is none */
  get input() {
    if (this.#file) return this.#file;
    const text = this.#text.value;
    return text === '' ? undefined : { name: TYPED_NAME, content: new Blob([text]), isContainer: false };
  }

  /**
   * Takes a file.
   *
   * @param {string} name
   * @param {Blob} content
   */
  async take(name, content) {
    const begins = await beginsAsContainer(content);
    this.#file = { name, content, isContainer: begins || isContainerName(name) };
    say('chosen-name', name);
    say('chosen-about', `${amount(content.size)}, ${begins ? 'an LLMzip container' : 'no LLMzip container'}`);
    this.#show();
  }

  clear() {
    this.#file = undefined;
    this.#picker.value = '';
    this.#show();
  }

  #show() {
    const hasFile = this.#file !== undefined;
    show('chosen', hasFile);
    show('drop', !hasFile);
    show('typed', !hasFile);
    this.#changed();
  }

  /**
   * Takes the first file, or a text that is too long for the field.
   *
   * @param {DataTransfer | null} data
   * @returns {boolean} whether there was one
   */
  #takeFrom(data) {
    const [file] = data?.files ?? [];
    const text = data?.getData('text/plain') ?? '';
    if (file) void this.take(file.name, file);
    else if (text.length > MOST_PASTED) void this.take(PASTED_NAME, new Blob([text]));
    else return false;
    return true;
  }
}

/**
 * @param {Blob} content
 * @returns {Promise<boolean>} also false where it cannot be read, which is told when it is to be
 */
async function beginsAsContainer(content) {
  const head = await content
    .slice(0, MAGIC.length)
    .arrayBuffer()
    .catch(() => new ArrayBuffer(0));
  const bytes = new Uint8Array(head);
  return bytes.length === MAGIC.length && MAGIC.every((byte, i) => bytes[i] === byte);
}
