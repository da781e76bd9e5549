/**
 * The bytes of a container (FORMAT.md section 2): preamble, frames, end, and every limit on them.
 *
 * Owns reading and writing of fields; decodes nothing, runs no model, opens no file. SHA-256 are lower-case hex.
 *
 * @module
 */

import { treeDepth } from '../codec/tree.mjs';
import { FormatError } from '../errors.mjs';
import { ByteWriter } from './bytes.mjs';
import { crc32 } from './crc32.mjs';
import { isValidEps } from './eps.mjs';
import { isTextRun, runLength, textRun } from './runs.mjs';

/** @typedef {import('./bytes.mjs').ByteReader} ByteReader */
/** @typedef {import('./runs.mjs').Run} Run */

/**
 * @typedef {object} Preamble
 * @property {string} modelSha256
 * @property {string} tokenizerSha256
 * @property {number} vocabSize
 * @property {import('./eps.mjs').Eps} eps
 * @property {number} offsets K
 * @property {number} startToken
 * @property {number} window
 * @property {number} overlap
 * @property {string} fingerprint
 */

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

export const MAX_FRAME_BYTES = 2 ** 24;
export const MAX_LANES = 256;
export const MAX_VOCAB_SIZE = 2 ** 20;
export const MAX_WINDOW = 2 ** 20;
const MAGIC = [0x89, 0x4c, 0x4d, 0x5a];
const VERSION = 1;
const TAG_END = 0;
const TAG_CODED = 1;
const TAG_STORED = 2;
const MAX_OFFSETS = 64;
const MAX_CELLS = 4096;
const MAX_BLOCK = 4096;
const MAX_FINGERPRINT = 32;
const SHA256_BYTES = 32;
// Longer than any varint and any group of fixed fields that are read together.
const FIELDS = 64;
// The preamble is 71 bytes of fixed fields, six varints of at most 8 and the fingerprint.
const MAX_PREAMBLE = 256;

/**
 * Tokens of lane `i` of `lanes`.
 *
 * @param {number} tokens
 * @param {number} lanes
 * @param {number} i
 * @returns {number}
 */
export function laneLength(tokens, lanes, i) {
  return Math.floor(tokens / lanes) + Number(i < tokens % lanes);
}

/**
 * Tokens of each lane, in order.
 *
 * @param {number} tokens
 * @param {number} lanes
 * @returns {number[]}
 */
export function laneLengths(tokens, lanes) {
  return Array.from({ length: lanes }, (_, i) => laneLength(tokens, lanes, i));
}

/**
 * @param {Preamble} preamble
 * @returns {Uint8Array}
 */
export function writePreamble(preamble) {
  const out = new ByteWriter();
  for (const byte of MAGIC) out.u8(byte);
  out.u8(VERSION);
  out.bytes(fromHex(preamble.modelSha256));
  out.bytes(fromHex(preamble.tokenizerSha256));
  out.varint(preamble.vocabSize);
  out.u8(treeDepth(preamble.vocabSize));
  out.u8(preamble.eps.mantissa);
  out.u8(preamble.eps.exponent);
  out.u8(preamble.offsets);
  out.varint(preamble.startToken);
  out.varint(preamble.window);
  out.varint(preamble.overlap);
  const fingerprint = new TextEncoder().encode(preamble.fingerprint);
  out.varint(fingerprint.length);
  out.bytes(fingerprint);
  out.crc32();
  return out.finish();
}

/**
 * @param {ByteReader} reader
 * @returns {Promise<Preamble>}
 * @throws {FormatError}
 */
export async function readPreamble(reader) {
  reader.mark();
  await reader.fill(MAX_PREAMBLE);
  for (const [i, byte] of MAGIC.entries()) {
    if (reader.available === 0 || reader.u8('the magic') !== byte) {
      throw new FormatError(`byte ${i + 1} is not that of an LLMzip container`, 'this is another kind of file');
    }
  }
  const version = reader.u8('the version');
  if (version !== VERSION) {
    throw new FormatError(`the container has version ${version}, this reads version ${VERSION}`, 'update llmzip');
  }
  const modelSha256 = toHex(reader.take('the model hash', SHA256_BYTES));
  const tokenizerSha256 = toHex(reader.take('the tokenizer hash', SHA256_BYTES));
  const vocabSize = reader.varint('vocab_size', 2, MAX_VOCAB_SIZE);
  const depth = reader.u8('depth');
  if (depth !== treeDepth(vocabSize))
    throw new FormatError(`depth is ${depth}, ${vocabSize} ids need ${treeDepth(vocabSize)}`);
  const eps = { mantissa: reader.u8('eps_mantissa'), exponent: reader.u8('eps_exponent') };
  if (!isValidEps(eps))
    throw new FormatError(`eps is ${eps.mantissa} / 10^${eps.exponent}, which is not in its one form`);
  const offsets = reader.u8('offsets');
  if (offsets < 1 || offsets > MAX_OFFSETS)
    throw new FormatError(`offsets is ${offsets}, it must be 1 to ${MAX_OFFSETS}`);
  const startToken = reader.varint('start_token', 0, vocabSize - 1);
  const window = reader.varint('window', 2, MAX_WINDOW);
  const overlap = reader.varint('overlap', 0, window - 1);
  const length = reader.varint('the length of the fingerprint', 0, MAX_FINGERPRINT);
  const characters = reader.take('the fingerprint', length);
  if (!characters.every((c) => c >= 0x21 && c <= 0x7e)) throw new FormatError('the fingerprint is not printable ASCII');
  const fingerprint = String.fromCharCode(...characters);
  checkCrc32(reader, 'the preamble');
  return { modelSha256, tokenizerSha256, vocabSize, eps, offsets, startToken, window, overlap, fingerprint };
}

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
  const plainLength = reader.varint('plain_length', 1, MAX_FRAME_BYTES);
  const plainCrc32 = reader.u32('plain_crc32');
  const tokenCount = reader.varint('token_count', 1, plainLength);
  const runs = await readRuns(reader, plainLength, tokenCount);
  const literalBytes = runs.reduce((sum, run) => sum + (isTextRun(run) ? 0 : runLength(run)), 0);
  await reader.fill(literalBytes + FIELDS);
  const literals = reader.take('the literals', literalBytes);
  const cells = reader.varint('cells', 2, MAX_CELLS);
  const block = reader.varint('block', 1, MAX_BLOCK);
  const laneCount = reader.varint('lane_count', 1, Math.min(tokenCount, MAX_LANES));
  const lanes = [];
  for (const tokens of laneLengths(tokenCount, laneCount)) {
    await reader.fill(FIELDS);
    const depth = treeDepth(preamble.vocabSize);
    const most = 8 + 2 * depth * tokens + 2 * preamble.offsets * Math.ceil(tokens / block);
    lanes.push({ length: reader.varint('stream_length', 1, most), crc32: reader.u32('stream_crc32') });
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
  const count = reader.varint('run_count', 0, plainLength);
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
  const plainLength = reader.varint('plain_length', 1, MAX_FRAME_BYTES);
  const plainCrc32 = reader.u32('plain_crc32');
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

/**
 * @param {ByteReader} reader
 * @param {string} part
 */
function checkCrc32(reader, part) {
  const expected = reader.crc32();
  if (reader.u32(`the crc32 of ${part}`) !== expected) throw damaged(part, reader);
}

/**
 * @param {string} part
 * @param {ByteReader} reader
 */
function damaged(part, reader) {
  return new FormatError(`${part} is damaged: its crc32 is not the stated one (before byte ${reader.offset})`);
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * @param {string} hex
 * @returns {Uint8Array}
 */
export function fromHex(hex) {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
