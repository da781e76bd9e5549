/**
 * Lines out of pieces of bytes. Owns the cutting and the limit on a line's length; knows no messages.
 *
 * @module
 */

const NEWLINE = 0x0a;

/**
 * The lines of a stream, without their ends; the last one needs none. A line that is too long is `undefined`, and is not kept.
 *
 * @param {AsyncIterable<Uint8Array>} pieces
 * @param {number} maxLine bytes, without the end of the line
 * @returns {AsyncGenerator<Uint8Array | undefined>}
 */
export async function* readLines(pieces, maxLine) {
  /** @type {Uint8Array[]} */
  let parts = [];
  let length = 0;

  const finishLine = () => {
    const line = length <= maxLine ? concatenate(parts, length) : undefined;
    parts = [];
    length = 0;
    return line;
  };
  /** @param {Uint8Array} part */
  const add = (part) => {
    length += part.length;
    if (length <= maxLine) parts.push(part);
    else parts = [];
  };

  for await (const piece of pieces) {
    let start = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, start);
      if (end < 0) break;
      add(piece.subarray(start, end));
      yield finishLine();
      start = end + 1;
    }
    if (start < piece.length) add(piece.subarray(start));
  }
  if (length > 0) yield finishLine();
}

/**
 * @param {Uint8Array[]} parts
 * @param {number} length
 */
function concatenate(parts, length) {
  const whole = new Uint8Array(length);
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}
