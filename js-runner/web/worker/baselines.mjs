/**
 * What ordinary compressors make of the same bytes, for comparison. Owns their levels.
 *
 * @module
 */

import { Zstd } from '@hpcc-js/wasm-zstd';

/** The highest level that needs no more memory than others to be read. */
export const ZSTD_LEVEL = 19;
// It is held in memory as a whole.
const MOST_ZSTD_BYTES = 2 ** 26;

/**
 * Bytes after gzip, at the level that the browser has.
 *
 * @param {Blob} input
 * @returns {Promise<number>}
 */
export async function gzipBytes(input) {
  const reader = input.stream().pipeThrough(new CompressionStream('gzip')).getReader();
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return bytes;
    bytes += value.length;
  }
}

/**
 * Bytes after zstd.
 *
 * @param {Blob} input
 * @returns {Promise<number | null>} null of an input that is too large to be held, or where zstd cannot be had or lacks memory: nothing but
 *   a row of a table hangs on it
 */
export async function zstdBytes(input) {
  if (input.size > MOST_ZSTD_BYTES) return null;
  try {
    const zstd = await Zstd.load();
    return zstd.compress(new Uint8Array(await input.arrayBuffer()), ZSTD_LEVEL).length;
  } catch {
    // One that failed is not tried again as it is.
    await Zstd.unload().catch(() => {});
    return null;
  }
}
