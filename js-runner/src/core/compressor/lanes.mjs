/**
 * How many lanes a writer gives a frame (FORMAT.md section 8).
 *
 * @module
 */

/** @typedef {number | 'auto'} Lanes */

// Tokens per lane below which `auto` adds none: what a lane costs is then about 1 % of what its tokens do, or less.
const AUTO_TOKENS = 8192;
// The most lanes of `auto`: more would take memory and gain little.
const AUTO_LANES = 64;

/**
 * The lanes of a frame of so many tokens.
 *
 * @param {number} tokens
 * @returns {number}
 */
export function autoLanes(tokens) {
  return Math.min(Math.max(Math.floor(tokens / AUTO_TOKENS), 1), AUTO_LANES);
}

/**
 * The lanes of a frame of so many tokens, for a number or `auto`.
 *
 * @param {Lanes} lanes
 * @param {number} tokens
 * @returns {number}
 */
export function lanesOf(lanes, tokens) {
  return lanes === 'auto' ? autoLanes(tokens) : lanes;
}
