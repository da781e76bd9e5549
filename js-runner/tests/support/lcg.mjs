/**
 * The numbers that golden vectors and synthetic models are made from, as golden/codec/README.md says.
 *
 * @module
 */

export class Lcg {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** @returns {number} `0 .. 65535` */
  draw() {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state >>> 16;
  }

  /** @param {number} spread */
  drawLogit(spread) {
    return ((this.draw() - 32768) * spread) / 32768;
  }

  /**
   * @param {number} vocabSize
   * @param {number} spread
   */
  drawRow(vocabSize, spread) {
    return Float32Array.from({ length: vocabSize }, () => this.drawLogit(spread));
  }

  /** @param {Float32Array} row */
  drawToken(row) {
    return this.draw() % 4 === 0 ? this.draw() % row.length : row.indexOf(Math.max(...row));
  }
}
