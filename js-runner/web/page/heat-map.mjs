/**
 * The map of bits: every token of the text in the colour of what it cost, a part at a time.
 *
 * Owns the map's elements. A part is drawn in slices, so that the page goes on answering.
 *
 * @module
 */

import { element, make, say, show } from './element.mjs';
import { bitsOf, visible, whole } from './words.mjs';

/** @typedef {import('../worker/tokens.mjs').Piece} Piece */
/** @typedef {import('../worker/tokens.mjs').Surprise} Surprise */
/** @typedef {{ count: number, bits: number, literalBytes: number, overview: number[], surprises: Surprise[] }} TokensStory */

const TOKENS_PER_PAGE = 600;
const PIECES_PER_SLICE = 150;
/** The least bits of each colour but the first. */
const LEVELS = [0.25, 1, 2, 4, 6, 8, 11];

export class HeatMap {
  #ask;
  /** @type {TokensStory | undefined} */
  #story;
  /** @type {Piece[]} */
  #pieces = [];
  #page = 0;
  #selected = -1;
  /** Counts what was drawn, so that what is older stops. */
  #drawing = 0;
  #map = element('heat-map');
  #slider = element('heat-page', HTMLInputElement);
  #index = element('heat-index', HTMLInputElement);

  /** @param {(start: number, count: number) => Promise<Piece[]>} ask gives pieces of tokens */
  constructor(ask) {
    this.#ask = ask;
    element('heat-previous').addEventListener('click', () => void this.#turnTo(this.#page - 1));
    element('heat-next').addEventListener('click', () => void this.#turnTo(this.#page + 1));
    this.#slider.addEventListener('change', () => void this.#turnTo(Number(this.#slider.value)));
    this.#map.addEventListener('pointerover', ({ target }) => this.#select(indexOf(target)));
    this.#map.addEventListener('click', ({ target }) => this.#select(indexOf(target)));
    this.#index.addEventListener('input', () => this.#select(Number(this.#index.value)));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#drawOverview());
    const legend = [0, ...LEVELS].map((least, level) =>
      make('li', level === LEVELS.length ? `${least} and more` : `${least}`, `heat${level}`),
    );
    element('heat-legend').replaceChildren(make('li', 'Bits from'), ...legend);
  }

  hide() {
    this.#story = undefined;
    this.#drawing += 1;
    show('heat', false);
  }

  /** @param {TokensStory} story */
  async show(story) {
    this.#story = story;
    const { count, bits, literalBytes } = story;
    const literals =
      literalBytes === 0 ? '' : ` ${whole(literalBytes)} bytes that are no text, or have no token, travel as they are.`;
    const mean = count === 0 ? '' : `, ${bitsOf(bits / count)} each on average`;
    say('heat-about', `${whole(count)} tokens${mean}.${literals}`);
    show('heat', count > 0);
    if (count === 0) return;
    element('heat-surprises').replaceChildren(...story.surprises.map(surpriseRow));
    this.#slider.max = String(this.#pages - 1);
    show('heat-pages', this.#pages > 1);
    await this.#turnTo(0);
  }

  get #pages() {
    return Math.ceil((this.#story?.count ?? 0) / TOKENS_PER_PAGE);
  }

  /** @param {number} page */
  async #turnTo(page) {
    if (!this.#story || page < 0 || page >= this.#pages) return;
    this.#page = page;
    this.#slider.value = String(page);
    this.#selected = -1;
    const drawing = ++this.#drawing;
    const start = page * TOKENS_PER_PAGE;
    const end = Math.min(start + TOKENS_PER_PAGE, this.#story.count);
    const range = `Tokens ${whole(start + 1)} to ${whole(end)} of ${whole(this.#story.count)}`;
    this.#slider.setAttribute('aria-valuetext', range);
    element('heat-previous', HTMLButtonElement).disabled = page === 0;
    element('heat-next', HTMLButtonElement).disabled = page === this.#pages - 1;
    say('heat-range', range);
    say('heat-token', 'Point at a token, or choose one, for its bits.');
    this.#drawOverview();
    const pieces = await this.#ask(start, TOKENS_PER_PAGE);
    if (drawing !== this.#drawing) return;
    this.#pieces = pieces;
    this.#index.max = String(Math.max(pieces.length - 1, 0));
    this.#map.replaceChildren();
    for (let i = 0; i < pieces.length && drawing === this.#drawing; i += PIECES_PER_SLICE) {
      this.#map.append(...pieces.slice(i, i + PIECES_PER_SLICE).map((piece, k) => pieceElement(piece, i + k)));
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }

  /** @param {number} index of a piece */
  #select(index) {
    const piece = this.#pieces[index];
    if (!piece || index === this.#selected) return;
    this.#map.children[this.#selected]?.classList.remove('selected');
    this.#map.children[index]?.classList.add('selected');
    this.#selected = index;
    const what = piece.tokens > 1 ? `${piece.tokens} tokens` : 'Token';
    const words =
      piece.bits === null
        ? `${piece.text} that travel as they are`
        : `${what} \u201c${visible(piece.text)}\u201d: ${bitsOf(piece.bits)}`;
    say('heat-token', words);
    this.#index.value = String(index);
    this.#index.setAttribute('aria-valuetext', words);
  }

  #drawOverview() {
    const story = this.#story;
    const canvas = element('heat-overview', HTMLCanvasElement);
    const context = canvas.getContext('2d');
    if (!story || !context) return;
    const style = getComputedStyle(canvas);
    const { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    const most = Math.max(...story.overview, 1);
    const step = width / story.overview.length;
    for (const [i, bits] of story.overview.entries()) {
      context.fillStyle = style.getPropertyValue(`--heat${levelOf(bits)}-bar`);
      const tall = Math.max((bits / most) * (height - 8), 2);
      context.fillRect(i * step, height - tall - 4, Math.max(step - 1, 1), tall);
    }
    // Where the part is that the map shows.
    context.fillStyle = style.color;
    context.fillRect((this.#page * width) / this.#pages, height - 3, Math.max(width / this.#pages, 3), 3);
  }
}

/** @param {number} bits */
function levelOf(bits) {
  const above = LEVELS.findIndex((least) => bits < least);
  return above < 0 ? LEVELS.length : above;
}

/**
 * @param {Piece} piece
 * @param {number} index
 */
function pieceElement({ text, bits }, index) {
  // A line break keeps its place, and is seen to be a token.
  const shown = bits === null ? `\u27e8${text}\u27e9` : text.replaceAll('\n', '\u21b5\n');
  const made = make('span', shown, bits === null ? 'literal' : `heat${levelOf(bits)}`);
  made.dataset.index = String(index);
  return made;
}

/** @param {Surprise} surprise */
function surpriseRow({ before, text, bits }) {
  const row = document.createElement('tr');
  const context = document.createElement('td');
  context.append(make('code', visible(before), 'context'));
  const token = document.createElement('td');
  token.append(make('code', visible(text), `heat${levelOf(bits)}`));
  row.append(context, token, make('td', bits.toFixed(1), 'number'));
  return row;
}

/** @param {EventTarget | null} target */
function indexOf(target) {
  return target instanceof HTMLElement && target.dataset.index !== undefined ? Number(target.dataset.index) : -1;
}
