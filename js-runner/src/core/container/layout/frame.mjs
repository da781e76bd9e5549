/**
 * The bytes of a container's frames and end (FORMAT.md section 2), and every limit on them.
 *
 * @module
 */

import { treeDepth } from '../../codec/tree.mjs';
import { FormatError } from '../../errors.mjs';
import { laneLengths, MAX_LANES } from '../../model/context.mjs';
import { ByteWriter } from '../bytes.mjs';
import { crc32 } from '../crc32.mjs';
import { isTextRun, runLength, textRun } from '../runs.mjs';
import { checkCrc32, damaged, fromHex, MAX_FRAME_BYTES, SHA256_BYTES, toHex } from './parts.mjs';

/** @typedef {import('../bytes.mjs').ByteReader} ByteReader */
/** @typedef {import('../runs.mjs').Run} Run */
/** @typedef {import('./preamble.mjs').Preamble} Preamble */

/**
 * @typedef {object} CodedFrame
 * @property {'coded'} kind
 * @property {number} plainLength
 * @property {number} plainCrc32
 * @property {number} tokenCount
 * @property {Run[]} runs
 * @property {Uint8Array} literals
 * @property {number} cells N
 * @property {number} block B
 * @property {Uint8Array[]} streams one per lane
 */

/** @typedef {{ kind: 'stored', plain: Uint8Array }} StoredFrame */
/** @typedef {{ kind: 'end', plainSha256: string }} End */

const TAG_END = 0;
const TAG_CODED = 1;
const TAG_STORED = 2;
const MAX_CELLS = 4096;
const MAX_BLOCK = 4096;
// Longer than any varint and any group of fixed fields that are read together.
const FIELDS = 64;

/**
 * @param {CodedFrame} frame
 * @returns {Uint8Array}
 */
export function writeCodedFrame(frame) {
  const out = new ByteWriter();
  out.u8(TAG_CODED);
  out.varint(frame.plainLength);
  out.u32(frame.plainCrc32);
  out.varint(frame.tokenCount);
  const isOneText = frame.runs.length === 1 && frame.runs[0] === textRun(frame.tokenCount);
  const runs = isOneText ? [] : frame.runs;
  out.varint(runs.length);
  for (const run of runs) out.varint(run);
  out.bytes(frame.literals);
  out.varint(frame.cells);
  out.varint(frame.block);
  out.varint(frame.streams.length);
  for (const stream of frame.streams) {
    out.varint(stream.length);
    out.u32(crc32(stream));
  }
  out.crc32();
  for (const stream of frame.streams) out.bytes(stream);
  return out.finish();
}

/**
 * @param {Uint8Array} plain
 * @returns {Uint8Array}
 */
export function writeStoredFrame(plain) {
  const out = new ByteWriter();
  out.u8(TAG_STORED);
  out.varint(plain.length);
  out.u32(crc32(plain));
  out.crc32();
  out.bytes(plain);
  return out.finish();
}

/**
 * @param {string} plainSha256
 * @returns {Uint8Array}
 */
export function writeEnd(plainSha256) {
  const out = new ByteWriter();
  out.u8(TAG_END);
  out.bytes(fromHex(plainSha256));
  return out.finish();
}

/**
 * The next frame, or the end, after which nothing follows.
 *
 * @param {ByteReader} reader
 * @param {Preamble} preamble
 * @returns {Promise<CodedFrame | StoredFrame | End>}
 * @throws {FormatError}
 */
export async function readFrame(reader, preamble) {
  reader.mark();
  await reader.fill(FIELDS);
  const tag = reader.u8('the kind of a frame');
  if (tag === TAG_CODED) return readCodedFrame(reader, preamble);
  if (tag === TAG_STORED) return readStoredFrame(reader);
  if (tag === TAG_END) return readEnd(reader);
  throw new FormatError(`a frame has the unknown kind ${tag} (byte ${reader.offset})`);
}

/**
 * @param {ByteReader} reader
 * @param {Preamble} preamble
 * @returns {Promise<CodedFrame>}
 */
async function readCodedFrame(reader, preamble) {
  const plainLength = reader.varint("a frame's plain length", 1, MAX_FRAME_BYTES);
  const plainCrc32 = reader.u32("a frame's plain crc32");
  const tokenCount = reader.varint("a frame's token count", 1, plainLength);
  const runs = await readRuns(reader, plainLength, tokenCount);
  const literalBytes = runs.reduce((sum, run) => sum + (isTextRun(run) ? 0 : runLength(run)), 0);
  await reader.fill(literalBytes + FIELDS);
  const literals = reader.take('the literals', literalBytes);
  const cells = reader.varint("a frame's number of cells", 2, MAX_CELLS);
  const block = reader.varint("a frame's block length", 1, MAX_BLOCK);
  const laneCount = reader.varint("a frame's number of lanes", 1, Math.min(tokenCount, MAX_LANES));
  const lanes = [];
  for (const tokens of laneLengths(tokenCount, laneCount)) {
    await reader.fill(FIELDS);
    const depth = treeDepth(preamble.vocabSize);
    const most = 8 + 2 * depth * tokens + 2 * preamble.offsets * Math.ceil(tokens / block);
    lanes.push({ length: reader.varint("a lane's stream length", 1, most), crc32: reader.u32("a lane's crc32") });
  }
  await reader.fill(FIELDS);
  checkCrc32(reader, 'the header of a frame');
  const streams = [];
  for (const [i, lane] of lanes.entries()) {
    await reader.fill(lane.length);
    const stream = reader.take('the stream of a lane', lane.length);
    if (crc32(stream) !== lane.crc32) throw damaged(`the stream of lane ${i}`, reader);
    streams.push(stream);
  }
  return { kind: 'coded', plainLength, plainCrc32, tokenCount, runs, literals, cells, block, streams };
}

/**
 * @param {ByteReader} reader
 * @param {number} plainLength
 * @param {number} tokenCount
 * @returns {Promise<Run[]>}
 */
async function readRuns(reader, plainLength, tokenCount) {
  const count = reader.varint("a frame's run count", 0, plainLength);
  if (count === 0) return [textRun(tokenCount)];
  const runs = [];
  let tokens = 0;
  let literals = 0;
  for (let i = 0; i < count; i++) {
    if (reader.available < FIELDS) await reader.fill(FIELDS);
    const run = reader.varint('a run', 2, 2 * MAX_FRAME_BYTES + 1);
    if (isTextRun(run)) tokens += runLength(run);
    else literals += runLength(run);
    if (tokens > tokenCount || literals > plainLength) {
      throw new FormatError(`the runs hold more than the frame's ${tokenCount} tokens or ${plainLength} bytes`);
    }
    runs.push(run);
  }
  if (tokens !== tokenCount) throw new FormatError(`the text runs hold ${tokens} tokens, the frame ${tokenCount}`);
  return runs;
}

/**
 * @param {ByteReader} reader
 * @returns {Promise<StoredFrame>}
 */
async function readStoredFrame(reader) {
  const plainLength = reader.varint("a frame's plain length", 1, MAX_FRAME_BYTES);
  const plainCrc32 = reader.u32("a frame's plain crc32");
  checkCrc32(reader, 'the header of a stored frame');
  await reader.fill(plainLength);
  const plain = reader.take('a stored frame', plainLength);
  if (crc32(plain) !== plainCrc32) throw damaged('a stored frame', reader);
  return { kind: 'stored', plain };
}

/**
 * @param {ByteReader} reader
 * @returns {Promise<End>}
 */
async function readEnd(reader) {
  await reader.fill(SHA256_BYTES + 1);
  const plainSha256 = toHex(reader.take('the end', SHA256_BYTES));
  if (reader.available > 0) throw new FormatError(`something follows the end of the container (byte ${reader.offset})`);
  return { kind: 'end', plainSha256 };
}
