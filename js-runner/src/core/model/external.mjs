/**
 * Where a weight lies that is not in the ONNX file: the file beside it, and the bytes there.
 *
 * Owns what a tensor may say of its place. What else it says is refused, because the model's SHA-256 covers no more than these files.
 * Opens none.
 *
 * @module
 */

import { BinaryReader } from '@bufbuild/protobuf/wire';

/** As many as transformers.js loads. */
export const MAX_DATA_FILES = 100;
// Printable ASCII without what separates the parts of a path on any system.
const NAME = /^(?!\.{1,2}$)[ -.0-9;-[\]-~]{1,255}$/;
// More than any file has.
const NUMBER = /^[0-9]{1,15}$/;
const LENGTH_DELIMITED = 2;
const EXTERNAL = 1;

/**
 * Whether a tensor's bytes lie in another file.
 *
 * @param {Uint8Array} tensor
 * @returns {boolean}
 */
export function isExternal(tensor) {
  const reader = new BinaryReader(tensor);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    const isLocation = field === 14 && wireType === 0;
    const value = isLocation ? reader.int32() : reader.skip(wireType, field);
    if (field === 13 || value === EXTERNAL) return true;
  }
  return false;
}

/**
 * Notes where a tensor lies that is in another file.
 *
 * @param {Uint8Array} tensor
 * @param {Map<string, number>} ends by the file's name, the end of the part of it that is used
 * @throws {Error} it is no place
 */
export function readPlace(tensor, ends) {
  /** @type {Map<string, string>} */
  const place = new Map();
  const reader = new BinaryReader(tensor);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== 13 || wireType !== LENGTH_DELIMITED) {
      reader.skip(wireType, field);
      continue;
    }
    const [key, value] = readEntry(reader.bytes());
    if (key === 'checksum') continue;
    if (!['location', 'offset', 'length'].includes(key)) {
      throw new Error('a weight in another file says more of its place than is known');
    }
    if (place.has(key)) throw new Error('a weight in another file has two places');
    place.set(key, value);
  }
  const [name, offset, length] = [place.get('location') ?? '', place.get('offset') ?? '0', place.get('length') ?? ''];
  if (!NAME.test(name)) {
    throw new Error('a weight lies in a file that has no plain name, or is not beside the model file');
  }
  if (!NUMBER.test(offset) || !NUMBER.test(length)) {
    throw new Error('a weight in another file has no proper offset and length');
  }
  if (ends.size >= MAX_DATA_FILES && !ends.has(name)) throw new Error('its weights lie in too many files');
  ends.set(name, Math.max(ends.get(name) ?? 0, Number(offset) + Number(length)));
}

/**
 * @param {Uint8Array} entry
 * @returns {[string, string]} key and value
 */
function readEntry(entry) {
  const found = ['', ''];
  const reader = new BinaryReader(entry);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if ((field === 1 || field === 2) && wireType === LENGTH_DELIMITED) {
      found[field - 1] = new TextDecoder('utf-8', { ignoreBOM: true }).decode(reader.bytes());
    } else reader.skip(wireType, field);
  }
  return [found[0], found[1]];
}
