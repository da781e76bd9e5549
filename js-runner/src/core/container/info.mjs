/**
 * What a container tells without its model: the head's fields and the totals of its frames, each held to its limits and its crc32s.
 *
 * Owns the totals. One frame at a time is in memory. Knows no names of models.
 *
 * @module
 */

import { FormatError } from '../errors.mjs';
import { Sha256 } from '../model/provenance.mjs';
import { ByteReader } from './bytes.mjs';
import { readFrame, readPreamble } from './layout.mjs';

/**
 * What a whole container tells without its model. Lengths are in bytes.
 *
 * @typedef {object} ContainerInfo
 * @property {import('./layout.mjs').Preamble} preamble
 * @property {number} codedFrames
 * @property {number} storedFrames
 * @property {{ least: number, most: number } | null} lanes of a coded frame; null where no frame is coded
 * @property {number} tokens
 * @property {number} plainBytes
 * @property {string} plainSha256 what the end states
 * @property {boolean} plainIsVerified whether that was held to the bytes, which it can be where every frame is stored
 * @property {number} containerBytes
 */

/**
 * Reads all of a container and checks what can be checked without its model: limits, order, every crc32, that nothing follows the
 * end, and the SHA-256 where every frame is stored.
 *
 * @param {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} container
 * @returns {Promise<ContainerInfo>}
 * @throws {FormatError}
 */
export async function readInfo(container) {
  const reader = new ByteReader(container);
  const preamble = await readPreamble(reader);
  let [codedFrames, storedFrames, tokens, plainBytes] = [0, 0, 0, 0];
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  const storedHash = new Sha256();
  for (;;) {
    const frame = await readFrame(reader, preamble);
    if (frame.kind === 'coded') {
      codedFrames += 1;
      tokens += frame.tokenCount;
      plainBytes += frame.plainLength;
      least = Math.min(least, frame.streams.length);
      most = Math.max(most, frame.streams.length);
    } else if (frame.kind === 'stored') {
      storedFrames += 1;
      plainBytes += frame.plain.length;
      storedHash.update(frame.plain);
    } else {
      const { plainSha256 } = frame;
      const plainIsVerified = codedFrames === 0;
      const found = storedHash.hex();
      if (plainIsVerified && found !== plainSha256) {
        throw new FormatError(
          `the plain bytes have SHA-256 ${found}, the container says ${plainSha256}: a frame is missing, misplaced or damaged`,
        );
      }
      const containerBytes = reader.offset;
      return {
        preamble,
        codedFrames,
        storedFrames,
        lanes: plainIsVerified ? null : { least, most },
        tokens,
        plainBytes,
        plainSha256,
        plainIsVerified,
        containerBytes,
      };
    }
  }
}

/**
 * Plain bytes per byte of the container, in thousandths, rounded.
 *
 * @param {ContainerInfo} info
 * @returns {number | null} null of an empty input
 */
export function ratioThousandths({ plainBytes, containerBytes }) {
  if (plainBytes === 0) return null;
  // Whole numbers without a limit, so that every language rounds alike.
  const [plain, container] = [BigInt(plainBytes), BigInt(containerBytes)];
  return Number((2000n * plain + container) / (2n * container));
}
