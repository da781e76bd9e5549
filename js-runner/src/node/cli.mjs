/**
 * The command line. Owns arguments, messages and exit codes; what is done is the library's.
 *
 * @module
 */

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decompressFrames, openContainer } from '../core/compressor/decode.mjs';
import { compress, FRAME_BYTES } from '../core/compressor/encode.mjs';
import { parseEps } from '../core/container/eps.mjs';
import { IntegrityError, UsageError } from '../core/errors.mjs';
import { findVariant, variantSha256 } from '../core/model/manifest.mjs';
import { readModelFiles } from '../core/model/model-files.mjs';
import { Operations } from '../core/runner/operations.mjs';
import { DataStream } from './data-stream.mjs';
import { readPieces, STDIO, withOutputFiles } from './files.mjs';
import { formatInspection } from './inspection.mjs';
import { DEFAULT_SETTINGS, FOLDER, loadModel } from './loader.mjs';
import { PROVIDERS } from './providers.mjs';
import { defaultModelDir, recordOf } from './records.mjs';
import { NODE_HOST } from './runner/host.mjs';
import { serve } from './runner/loop.mjs';
import { report, say, showProgress } from './talk.mjs';

/** @typedef {import('../core/compressor/progress.mjs').Write} Write */
/** @typedef {import('../core/model/manifest.mjs').ModelRecord} ModelRecord */
/** @typedef {import('../core/model/manifest.mjs').Variant} Variant */
/** @typedef {Record<string, string | boolean | undefined>} Options */

const USAGE = `Compress text with the next-token log-probs of an ONNX language model.

usage:
  llmzip compress INPUT -o OUTPUT [--variant NAME] [--lanes N] [--batch N] [--eps E]
                  [--frame-bytes N]
  llmzip decompress INPUT -o OUTPUT [--batch N]
  llmzip inspect [--variant NAME] [--json]
  llmzip runner [--browser wasm|webgpu]

INPUT and OUTPUT may be - for stdin and stdout.

options:
  -o, --output OUTPUT   file to write
  -f, --force           replace OUTPUT if it is already there
  --model DIR           folder of the model (default: LLMZIP_MODEL, or models/tiny)
  --variant NAME        variant of the model (default: exact, else q4f16, else the first)
  --threads N           threads of ONNX Runtime (default: 1)
  --provider NAME       execution provider of ONNX Runtime (default: cpu)
  --batch N             most lanes that are fed at once (default: all where the graph allows it, else one)
  --lanes N             lanes that decode side by side (default: 1)
  --eps E               largest difference of a log-prob withstood (default: the manifest's)
  --frame-bytes N       plain bytes of a frame (default: ${FRAME_BYTES})
  --no-verify-sha       do not hold the model's files to the manifest beside its folder (default: --verify-sha)
  --json                print JSON
  --browser BUILD       answer from a page in Chromium, with onnxruntime-web's build wasm or webgpu
  -h, --help            print this
`;

const OPTIONS = /** @type {const} */ ({
  output: { type: 'string', short: 'o' },
  force: { type: 'boolean', short: 'f' },
  model: { type: 'string' },
  variant: { type: 'string' },
  threads: { type: 'string' },
  provider: { type: 'string' },
  batch: { type: 'string' },
  lanes: { type: 'string' },
  eps: { type: 'string' },
  'frame-bytes': { type: 'string' },
  'verify-sha': { type: 'boolean' },
  'no-verify-sha': { type: 'boolean' },
  json: { type: 'boolean' },
  browser: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
});

const MODEL_OPTIONS = ['model', 'threads', 'provider'];
const VERIFY_OPTIONS = ['verify-sha', 'no-verify-sha'];
const FILE_OPTIONS = ['output', 'force'];

/**
 * A command: the options it takes, whether it takes INPUT, and what it does.
 *
 * @typedef {object} Command
 * @property {string[]} options
 * @property {boolean} takesInput
 * @property {(input: string, options: Options, stdout: DataStream) => Promise<void>} run
 */

/** @type {Map<string, Command>} */
const COMMANDS = new Map([
  [
    'compress',
    {
      options: [
        ...FILE_OPTIONS,
        ...MODEL_OPTIONS,
        ...VERIFY_OPTIONS,
        'variant',
        'batch',
        'lanes',
        'eps',
        'frame-bytes',
      ],
      takesInput: true,
      run: runCompress,
    },
  ],
  ['decompress', { options: [...FILE_OPTIONS, ...MODEL_OPTIONS, 'batch'], takesInput: true, run: runDecompress }],
  [
    'inspect',
    { options: [...MODEL_OPTIONS, ...VERIFY_OPTIONS, 'variant', 'json'], takesInput: false, run: runInspect },
  ],
  ['runner', { options: ['browser'], takesInput: false, run: runRunner }],
]);

/**
 * Runs a command line.
 *
 * @param {string[]} args
 * @param {number} dataFd the descriptor that is stdout to the caller
 * @returns {Promise<number>} the exit code
 */
export async function run(args, dataFd) {
  try {
    const stdout = DataStream.open(dataFd);
    const { values, positionals } = parse(args);
    if (values.help) {
      await stdout.write(new TextEncoder().encode(USAGE));
      return 0;
    }
    const [name, ...inputs] = positionals;
    const command = COMMANDS.get(name ?? '');
    if (!command) {
      throw new UsageError(
        name === undefined ? 'no command is given' : `there is no command ${name}`,
        'see llmzip --help',
      );
    }
    if (inputs.length !== Number(command.takesInput)) {
      throw new UsageError(`${name} takes ${command.takesInput ? 'one INPUT' : 'no INPUT'}`, 'see llmzip --help');
    }
    const foreign = Object.keys(values).find((option) => !command.options.includes(option));
    if (foreign !== undefined) throw new UsageError(`${name} takes no --${foreign}`, 'see llmzip --help');
    await command.run(inputs[0], values, stdout);
    return 0;
  } catch (thrown) {
    return report(thrown);
  }
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), 'see llmzip --help');
  }
}

/** @type {Command['run']} */
async function runCompress(input, options, stdout) {
  const lanes = positive(options, 'lanes') ?? 1;
  const frameBytes = positive(options, 'frame-bytes') ?? FRAME_BYTES;
  const asked = options.eps === undefined ? undefined : parseEps(String(options.eps));
  // The files first: a name that cannot be written to should not cost the loading of a model.
  await withOutput(options, stdout, async (write) => {
    const { modelDir, record, variant } = chooseVariant(options);
    const eps = asked ?? parseEps(variant.eps);
    const model = await loadVariant(options, modelDir, record, variant);
    warnOfSingleLanes(model);
    const result = await compress(
      readPieces(input),
      write,
      model,
      { eps, policy: record, lanes, frameBytes },
      showProgress,
    );
    const bits =
      result.plain_bytes === 0
        ? ''
        : `, ${((8 * result.container_bytes) / result.plain_bytes).toFixed(3)} bits per byte`;
    say(`${result.plain_bytes} bytes to ${result.container_bytes}${bits}, ${result.tokens} tokens coded`);
  });
}

/** @type {Command['run']} */
async function runDecompress(input, options, stdout) {
  await withOutput(options, stdout, async (write) => {
    const { reader, preamble } = await openContainer(readPieces(input));
    const model = await loadFor(options, preamble);
    warnOfSingleLanes(model);
    const result = await decompressFrames(reader, preamble, write, model, showProgress);
    say(`${result.plain_bytes} bytes, SHA-256 ${result.plain_sha256}`);
  });
}

/** @type {Command['run']} */
async function runInspect(_input, options, stdout) {
  const { modelDir, record, variant } = chooseVariant(options);
  const { inspection } = await loadVariant(options, modelDir, record, variant);
  const text = options.json
    ? JSON.stringify(inspection, null, 2)
    : formatInspection(inspection, record.name, variant.file);
  await stdout.write(new TextEncoder().encode(`${text}\n`));
}

/** @type {Command['run']} */
async function runRunner(_input, { browser }, stdout) {
  if (browser === undefined) return serve(process.stdin, stdout, new Operations(NODE_HOST));
  if (browser !== 'wasm' && browser !== 'webgpu') {
    throw new UsageError(`--browser is ${browser}`, 'use wasm or webgpu');
  }
  // What only this needs is not there for those who only compress.
  const { Bridge } = await import('../browser/bridge.mjs');
  const bridge = new Bridge(browser);
  try {
    await serve(process.stdin, stdout, bridge);
  } finally {
    await bridge.close();
  }
}

/**
 * @param {Options} options
 * @param {DataStream} stdout
 * @param {(write: Write) => Promise<void>} work
 */
async function withOutput(options, stdout, work) {
  const path = options.output;
  if (path === undefined) throw new UsageError('no output is named', 'give -o OUTPUT, or -o - for stdout');
  if (path === '') throw new UsageError('--output is empty', 'name a file to write to');
  if (path === STDIO) {
    stdout.refuseClosed();
    await work((bytes) => stdout.write(bytes));
  } else await withOutputFiles([String(path)], options.force === true, ([file]) => work((bytes) => file.write(bytes)));
}

/** @param {Options} options */
function chooseVariant(options) {
  const modelDir = modelDirOf(options);
  const record = recordOf(modelDir);
  const dtype = options.variant === undefined ? undefined : String(options.variant);
  return { modelDir, record, variant: findVariant(record, dtype) };
}

/**
 * @param {Options} options
 * @param {string} modelDir
 * @param {ModelRecord} record
 * @param {Variant} variant
 */
async function loadVariant(options, modelDir, record, variant) {
  const known = options['no-verify-sha'] ? new Map() : record.sha256;
  const sha256 = variantSha256(record, variant);
  const model = await loadModel(modelDir, variant.file, settingsOf(options), {
    model: options['no-verify-sha'] ? undefined : sha256,
    tokenizer: known.get('tokenizer.json'),
    config: known.get('config.json'),
  });
  if (options['no-verify-sha']) {
    // Whoever reads the log must see that nothing vouches for what follows.
    say(`warning: --no-verify-sha: ${model.modelPath} was held to no SHA-256; it has ${model.modelSha256}`);
  } else if (sha256 === undefined) {
    say(`note: no manifest knows ${model.modelPath}; its SHA-256 is ${model.modelSha256}`);
  }
  return model;
}

/**
 * A graph that takes one lane at a time does what it should, but not as fast as lanes are meant to be.
 *
 * @param {import('./loader.mjs').LoadedModel} model
 */
function warnOfSingleLanes({ inspection: { batch_policy: policy } }) {
  if (policy.batch === 'static') {
    say(`warning: lanes run one after another, the graph takes no batch: ${policy.reason}`);
  }
}

/**
 * The model that a container names.
 *
 * @param {Options} options
 * @param {import('../core/container/layout.mjs').Preamble} preamble
 * @throws {IntegrityError} it is not in the folder
 */
async function loadFor(options, { modelSha256, tokenizerSha256 }) {
  const modelDir = modelDirOf(options);
  const record = recordOf(modelDir);
  /** @type {{ file: string, hash: string }[]} */
  const found = [];
  for (const variant of record.variants) {
    const { file } = variant;
    const hash = variantSha256(record, variant) ?? (await readModelFiles(FOLDER, join(modelDir, file))).sha256;
    found.push({ file, hash });
  }
  const right = found.find(({ hash }) => hash === modelSha256);
  if (!right) {
    const there = found.map(({ file, hash }) => `${file} ${hash}`).join(', ');
    throw new IntegrityError(
      `the container was made with the model of SHA-256 ${modelSha256}; in ${modelDir} there is ${there}`,
      'name the folder of the right model with --model',
    );
  }
  // Whatever the manifest says of these two, the container's hashes are those that count.
  return loadModel(modelDir, right.file, settingsOf(options), {
    model: modelSha256,
    tokenizer: tokenizerSha256,
    config: record.sha256.get('config.json'),
  });
}

/** @param {Options} options */
function modelDirOf({ model }) {
  return model === undefined ? defaultModelDir() : String(model);
}

/** @param {Options} options */
function settingsOf(options) {
  const provider = String(options.provider ?? DEFAULT_SETTINGS.provider);
  if (!Object.hasOwn(PROVIDERS, provider)) {
    throw new UsageError(`--provider is ${provider}`, `use one of ${Object.keys(PROVIDERS).join(', ')}`);
  }
  return {
    ...DEFAULT_SETTINGS,
    threads: positive(options, 'threads') ?? DEFAULT_SETTINGS.threads,
    provider,
    batch: positive(options, 'batch'),
  };
}

/**
 * @param {Options} options
 * @param {string} name
 * @returns {number | undefined}
 */
function positive(options, name) {
  const text = options[name];
  if (text === undefined) return undefined;
  if (!/^[1-9][0-9]{0,9}$/.test(String(text)))
    throw new UsageError(`--${name} is ${text}`, 'give a whole number, 1 or more');
  return Number(text);
}
