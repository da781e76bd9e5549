/**
 * The bytes of a container (FORMAT.md section 2): preamble, frames, end, and every limit on them.
 *
 * Owns reading and writing of fields; decodes nothing, runs no model, opens no file. SHA-256 are lower-case hex.
 *
 * @module
 */

/** @typedef {import('./layout/frame.mjs').CodedFrame} CodedFrame */
/** @typedef {import('./layout/frame.mjs').End} End */
/** @typedef {import('./layout/frame.mjs').StoredFrame} StoredFrame */
/** @typedef {import('./layout/preamble.mjs').Preamble} Preamble */

export { readFrame, writeCodedFrame, writeEnd, writeStoredFrame } from './layout/frame.mjs';
export {
  fromHex,
  MAX_FRAME_BYTES,
  MAX_VOCAB_SIZE,
  toHex,
} from './layout/parts.mjs';
export { readPreamble, VERSION, writePreamble } from './layout/preamble.mjs';
