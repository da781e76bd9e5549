/**
 * `compress` and `decompress`: one input, one output, either of which may be a pipe. Owns their order.
 *
 * @module
 */

import { decompressFrames, openContainer } from '../core/compressor/decode.mjs';
import { compress, FRAME_BYTES } from '../core/compressor/encode.mjs';
import { HashedInput, verify } from '../core/compressor/verify.mjs';
import { parseEps } from '../core/container/eps.mjs';
import { UsageError } from '../core/errors.mjs';
import { chooseVariant, loadFor, loadVariant, warnOfSingleLanes } from './chosen-model.mjs';
import { readPieces, STDIO, withOutputFiles } from './files.mjs';
import { lanesOption, positive } from './options.mjs';
import {
  CountedInput,
  outputName,
  refuseSame,
  refuseTerminalInput,
  refuseTerminalOutput,
  removeInput,
  takesAName,
} from './places.mjs';
import { FileProgress, say } from './talk.mjs';

/** @typedef {import('../core/compressor/progress.mjs').Write} Write */
/** @typedef {import('./data-stream.mjs').DataStream} DataStream */
/** @typedef {import('./options.mjs').Options} Options */

/**
 * @param {string} input
 * @param {Options} options
 * @param {DataStream} stdout
 */
export async function runCompress(input, options, stdout) {
  const lanes = lanesOption(options);
  const frameBytes = positive(options, 'frame-bytes') ?? FRAME_BYTES;
  const asked = options.eps === undefined ? undefined : parseEps(String(options.eps));
  const output = outputOf('compress', input, options);
  refuseTerminalOutput(output, stdout.fd, options.force === true);
  const removes = removesInput(input, output, options);
  // The files first: a name that cannot be written to should not cost the loading of a model.
  const result = await withOutput(output, options, stdout, async (write, written) => {
    if (options.verify && written === undefined) {
      throw new UsageError(
        '--verify reads the output back, which only a file can be',
        'name a file to write to with -o',
      );
    }
    const { modelDir, record, variant } = chooseVariant(options);
    const eps = asked ?? parseEps(variant.eps);
    const model = await loadVariant(options, modelDir, record, variant);
    warnOfSingleLanes(model);
    const counted = new CountedInput(input);
    const hashed = new HashedInput(counted);
    const progress = new FileProgress('compress', counted);
    const summary = await compress(hashed, write, model, { eps, policy: record, lanes, frameBytes }, progress.show);
    if (options.verify && written !== undefined) {
      await verify(readPieces(written), hashed.finish(), model, progress.showVerifying);
    }
    progress.clear();
    return summary;
  });
  if (removes) removeInput(input);
  const bits =
    result.plain_bytes === 0 ? '' : `, ${((8 * result.container_bytes) / result.plain_bytes).toFixed(3)} bits per byte`;
  const verified = options.verify ? ', verified' : '';
  say(`${result.plain_bytes} bytes to ${result.container_bytes}${bits}, ${result.tokens} tokens coded${verified}`);
}

/**
 * @param {string} input
 * @param {Options} options
 * @param {DataStream} stdout
 */
export async function runDecompress(input, options, stdout) {
  const output = outputOf('decompress', input, options);
  refuseTerminalInput(input);
  const removes = removesInput(input, output, options);
  const result = await withOutput(output, options, stdout, async (write) => {
    const counted = new CountedInput(input);
    const { reader, preamble } = await openContainer(counted);
    const model = await loadFor(options, preamble);
    warnOfSingleLanes(model);
    const progress = new FileProgress('decompress', counted);
    const summary = await decompressFrames(reader, preamble, write, model, progress.show);
    progress.clear();
    return summary;
  });
  if (removes) removeInput(input);
  say(`${result.plain_bytes} bytes, SHA-256 ${result.plain_sha256}`);
}

/**
 * @param {'compress' | 'decompress'} command
 * @param {string} input
 * @param {Options} options
 * @returns {string}
 */
function outputOf(command, input, { output }) {
  if (output === '') throw new UsageError('--output is empty', 'name a file to write to');
  const target = output === undefined ? outputName(command, input) : String(output);
  refuseSame(input, target);
  return target;
}

/**
 * Whether the input goes; says so where it was asked for and does not.
 *
 * @param {string} input
 * @param {string} output
 * @param {Options} options
 */
function removesInput(input, output, { rm }) {
  const mayGo = input !== STDIO && takesAName(output);
  if (rm && !mayGo) say('note: --rm removes nothing where the input is stdin or the output is no file');
  return rm === true && mayGo;
}

/**
 * @template T
 * @param {string} output
 * @param {Options} options
 * @param {DataStream} stdout
 * @param {(write: Write, written?: string) => Promise<T>} work is told where what it wrote lies, if that is a file
 * @returns {Promise<T>}
 */
async function withOutput(output, options, stdout, work) {
  if (output === STDIO) {
    stdout.refuseClosed();
    return work((bytes) => stdout.write(bytes));
  }
  return withOutputFiles([output], options.force === true, ([file]) =>
    work((bytes) => file.write(bytes), file.temporary),
  );
}
