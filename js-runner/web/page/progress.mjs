/**
 * How far the work is. Owns the words, and how often they are spoken.
 *
 * @module
 */

import { element, say, show } from './element.mjs';
import { amount, duration, whole } from './words.mjs';

const STAGES = /** @type {Record<string, string>} */ ({
  reading: 'Checking the container',
  model: 'Loading the model',
  others: 'Measuring gzip and zstd',
  tokens: 'Asking the model for every token',
});
// A screen reader that was told more often would say nothing else.
const SPOKEN_MILLISECONDS = 15_000;

export class ProgressView {
  #bar = element('progress', HTMLProgressElement);
  #spoken = 0;

  /** @param {string} heading */
  begin(heading) {
    say('work-heading', heading);
    say('stage', '');
    say('figures', '');
    this.#bar.removeAttribute('value');
    this.#spoken = performance.now();
    show('work', true);
  }

  end() {
    show('work', false);
  }

  /** @type {import('./engine.mjs').Listen} */
  listen = (news) => {
    if ('stage' in news) {
      const stage = STAGES[news.stage] ?? news.stage;
      say('stage', stage);
      say('figures', '');
      say('status', stage);
    } else if ('fetched' in news) {
      this.#bar.value = news.fetched / news.total;
      say('figures', `${amount(news.fetched)} of ${amount(news.total)}`);
    } else {
      this.#show(news);
    }
  };

  /** @param {{ done: number, tokens: number, seconds: number }} news */
  #show({ done, tokens, seconds }) {
    this.#bar.value = done;
    const speed = seconds > 0 ? tokens / seconds : 0;
    const left = done > 0 ? (seconds * (1 - done)) / done : undefined;
    const text = [
      `${whole(done * 100)} %`,
      `${whole(tokens)} tokens`,
      `${whole(speed)} tokens/s`,
      left === undefined ? '' : `${duration(left)} left`,
    ];
    const words = text.filter((each) => each !== '').join(', ');
    say('figures', words);
    const now = performance.now();
    if (now < this.#spoken + SPOKEN_MILLISECONDS) return;
    this.#spoken = now;
    say('status', words);
  }
}
