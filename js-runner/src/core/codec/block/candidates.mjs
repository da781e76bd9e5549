/**
 * The choices of cells and block length that a writer compares (FORMAT.md section 8).
 *
 * Owns the ladders; what a choice costs is `costs`.
 *
 * @module
 */

/** @typedef {{ cells: number, block: number }} Parameters */

const CELL_LADDER = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];
const SMALL_BLOCKS = [4, 8, 16, 32, 64];
const LARGE_BLOCKS = [64, 128, 256, 512, 1024, 2048, 4096];
const COARSE_CELLS = 12;

/**
 * The choices of N and B that a writer compares, in the order in which the first of equals wins.
 *
 * @param {number} eps
 * @returns {Parameters[]}
 */
export function candidates(eps) {
  const enough = CELL_LADDER.findIndex((n) => n * n * n * eps >= 1);
  const place = enough < 0 ? CELL_LADDER.length - 1 : enough;
  const blocks = CELL_LADDER[place] <= COARSE_CELLS ? SMALL_BLOCKS : LARGE_BLOCKS;
  return CELL_LADDER.slice(Math.max(place - 1, 0), place + 2).flatMap((cells) =>
    blocks.map((block) => ({ cells, block })),
  );
}
