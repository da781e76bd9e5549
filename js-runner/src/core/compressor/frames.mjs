/**
 * Where a writer cuts plain bytes into frames (FORMAT.md section 8). Owns the cuts and the reading ahead for them.
 *
 * @module
 */

import { ByteReader } from '../container/bytes.mjs';

const MOST_CONTINUATION_BYTES = 3;

/**
 * The plain bytes of each frame.
 *
 * @param {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} plain
 * @param {number} frameBytes
 * @returns {AsyncGenerator<Uint8Array>}
 */
export async function* cutFrames(plain, frameBytes) {
  const reader = new ByteReader(plain);
  for (;;) {
    reader.mark();
    // One byte more than a frame, to see whether a cut would fall inside a character.
    await reader.fill(frameBytes + 1);
    if (reader.available === 0) return;
    yield reader.take('the input', cutOf(reader.peek(Math.min(frameBytes + 1, reader.available)), frameBytes));
  }
}

/**
 * So many bytes of the beginning, fewer where there are no more.
 *
 * @param {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} plain
 * @param {number} count
 * @returns {Promise<Uint8Array>}
 */
export async function readUpTo(plain, count) {
  const reader = new ByteReader(plain);
  await reader.fill(count);
  return reader.take('the input', Math.min(count, reader.available));
}

/**
 * @param {Uint8Array} bytes a frame and what follows it, if anything does
 * @param {number} frameBytes
 * @returns {number} the length of the frame
 */
function cutOf(bytes, frameBytes) {
  if (bytes.length <= frameBytes) return bytes.length;
  for (let cut = frameBytes; cut > 0 && cut >= frameBytes - MOST_CONTINUATION_BYTES; cut--) {
    if ((bytes[cut] & 0xc0) !== 0x80) return cut;
  }
  return frameBytes;
}
