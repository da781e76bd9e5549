/**
 * Numbers as words of the page. Owns their form.
 *
 * @module
 */

const UNITS = ['B', 'KiB', 'MiB', 'GiB'];
const WHOLE = new Intl.NumberFormat('en');

/** @param {number} count */
export function whole(count) {
  return WHOLE.format(Math.round(count));
}

/** @param {number} bytes */
export function amount(bytes) {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  const left = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(left / 3600), Math.floor(left / 60) % 60];
  const rest = String(left % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** @param {number} bits */
export function bitsOf(bits) {
  return `${bits < 10 ? bits.toFixed(2) : bits.toFixed(1)} bits`;
}

/**
 * A token as it can be seen: white space by its signs.
 *
 * @param {string} text
 */
export function visible(text) {
  return text
    .replaceAll('\n', '\u21b5')
    .replaceAll('\t', '\u21e5')
    .replaceAll(' ', '\u2423')
    .replaceAll('\r', '\u240d')
    .replaceAll('\ufffd', '(part of a character)');
}

const SUFFIX = '.llmzip';

/**
 * The name of what is made of an input.
 *
 * @param {'compress' | 'decompress'} way
 * @param {string} name
 * @returns {string}
 */
export function outputName(way, name) {
  if (way === 'compress') return name + SUFFIX;
  return name.endsWith(SUFFIX) && name !== SUFFIX ? name.slice(0, -SUFFIX.length) : `${name}.plain`;
}

/** @param {string} name */
export function isContainerName(name) {
  return name.endsWith(SUFFIX);
}
