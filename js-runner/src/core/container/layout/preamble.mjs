/**
 * The bytes of a container's preamble (FORMAT.md section 2), and every limit on them.
 *
 * @module
 */

import { treeDepth } from '../../codec/tree.mjs';
import { FormatError } from '../../errors.mjs';
import { MAX_WINDOW } from '../../model/context.mjs';
import { ByteWriter } from '../bytes.mjs';
import { isValidEps } from '../eps.mjs';
import { checkCrc32, fromHex, MAX_VOCAB_SIZE, SHA256_BYTES, toHex } from './parts.mjs';

/** @typedef {import('../bytes.mjs').ByteReader} ByteReader */

/**
 * @typedef {object} Preamble
 * @property {string} modelSha256
 * @property {string} tokenizerSha256
 * @property {number} vocabSize
 * @property {import('../eps.mjs').Eps} eps
 * @property {number} offsets K
 * @property {number} startToken
 * @property {number} window
 * @property {number} overlap
 * @property {string} fingerprint
 */

/** The first bytes of every container. */
export const MAGIC = [0x89, 0x4c, 0x4d, 0x5a];
export const VERSION = 1;
const MAX_OFFSETS = 64;
const MAX_FINGERPRINT = 32;
// The preamble is 71 bytes of fixed fields, six varints of at most 8 and the fingerprint.
const MAX_PREAMBLE = 256;

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
  const vocabSize = reader.varint('the vocabulary size', 2, MAX_VOCAB_SIZE);
  const depth = reader.u8('the tree depth');
  if (depth !== treeDepth(vocabSize))
    throw new FormatError(`the tree depth is ${depth}, ${vocabSize} ids need ${treeDepth(vocabSize)}`);
  const eps = { mantissa: reader.u8('the eps mantissa'), exponent: reader.u8('the eps exponent') };
  if (!isValidEps(eps))
    throw new FormatError(`the eps is ${eps.mantissa} / 10^${eps.exponent}, which is not in its one form`);
  const offsets = reader.u8('the number of offsets');
  if (offsets < 1 || offsets > MAX_OFFSETS)
    throw new FormatError(`the number of offsets is ${offsets}, it must be 1 to ${MAX_OFFSETS}`);
  const startToken = reader.varint('the start token', 0, vocabSize - 1);
  const window = reader.varint('the window', 2, MAX_WINDOW);
  const overlap = reader.varint('the overlap', 0, window - 1);
  const length = reader.varint('the length of the fingerprint', 0, MAX_FINGERPRINT);
  const characters = reader.take('the fingerprint', length);
  if (!characters.every((c) => c >= 0x21 && c <= 0x7e)) throw new FormatError('the fingerprint is not printable ASCII');
  const fingerprint = String.fromCharCode(...characters);
  checkCrc32(reader, 'the preamble');
  return { modelSha256, tokenizerSha256, vocabSize, eps, offsets, startToken, window, overlap, fingerprint };
}
