/**
 * What of JSON a line may hold, the same in every language (PROTOCOL.md, "What JSON a line may hold"). Knows no messages.
 *
 * @module
 */

/** How deep arrays and objects may lie in each other; the line's own object is the first. */
const MAX_DEPTH = 64;

/**
 * A line as a value. `JSON.parse` takes a number by its value, however it is written; of members with the same name it keeps the last alone,
 * so the members that came out of it are held against those that were written.
 *
 * @param {Uint8Array} line
 * @returns {unknown}
 * @throws {Error} it is no JSON that a line may hold
 */
export function parseLine(line) {
  // A byte order mark is no part of JSON, so it must not be taken away.
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line);
  const value = JSON.parse(text);
  let level = [value];
  let members = 0;
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH && level.some(isContainer)) {
      throw new Error(`arrays and objects lie more than ${MAX_DEPTH} deep`);
    }
    for (const each of level) {
      if (isContainer(each) && !Array.isArray(each)) members += Object.keys(each).length;
    }
    level = inside(level);
  }
  if (members < writtenMembers(text)) throw new Error('an object has two members with the same name');
  return value;
}

/**
 * How many members a JSON text writes: it has a colon for each, and further ones in strings alone.
 *
 * @param {string} text - what `JSON.parse` takes
 * @returns {number}
 */
function writtenMembers(text) {
  let members = 0;
  let inString = false;
  for (let place = 0; place < text.length; place++) {
    const character = text[place];
    if (character === '"') inString = !inString;
    else if (character === '\\') place++;
    else if (character === ':' && !inString) members++;
  }
  return members;
}

/**
 * What lies directly in these values, names of members included.
 *
 * @param {unknown[]} values
 * @returns {unknown[]}
 * @throws {Error} one of them is no JSON that a line may hold
 */
function inside(values) {
  const found = [];
  for (const value of values) {
    if (typeof value === 'number' && !Number.isFinite(value)) throw new Error('a number is too large for binary64');
    // A lone surrogate is all that \p{Surrogate} matches where pairs are read as one.
    if (typeof value === 'string' && /\p{Surrogate}/u.test(value)) throw new Error('a string has a lone surrogate');
    if (isContainer(value)) {
      for (const name of Array.isArray(value) ? [] : Object.keys(value)) found.push(name);
      for (const child of Array.isArray(value) ? value : Object.values(value)) found.push(child);
    }
  }
  return found;
}

/**
 * @param {unknown} value
 * @returns {value is object}
 */
function isContainer(value) {
  return typeof value === 'object' && value !== null;
}
