/**
 * Lanes as blocks that share a grid offset (FORMAT.md sections 7 and 8).
 *
 * Owns the writer's choices (N, B, offsets) and the bits of a lane's stream; gets log-odds from `tree` and knows no files.
 *
 * @module
 */

export { candidates } from './block/candidates.mjs';
export { LaneDecoder } from './block/decode.mjs';
export { chooseParameters, encodeLane } from './block/encode.mjs';
