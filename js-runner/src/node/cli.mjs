/**
 * The command line. Owns arguments, messages and exit codes; what is done is the library's.
 *
 * @module
 */

import { parseArgs } from 'node:util';
import { FRAME_BYTES } from '../core/compressor/encode.mjs';
import { readInfo } from '../core/container/info.mjs';
import { UsageError } from '../core/errors.mjs';
import { Operations } from '../core/runner/operations.mjs';
import { chooseVariant, loadVariant, modelDirOf } from './chosen-model.mjs';
import { DataStream } from './data-stream.mjs';
import { readPieces } from './files.mjs';
import { formatInfo, infoView } from './info.mjs';
import { formatInspection } from './inspection.mjs';
import { DEFAULT_PORT, portOption } from './options.mjs';
import { refuseTerminalInput } from './places.mjs';
import { findName } from './records.mjs';
import { NODE_HOST } from './runner/host.mjs';
import { serve } from './runner/loop.mjs';
import { beQuiet, report, say } from './talk.mjs';
import { runCompress, runDecompress } from './transfer.mjs';

/** @typedef {import('./options.mjs').Options} Options */

const USAGE = `Compress text with the next-token log-probs of an ONNX language model.

usage:
  llmzip compress INPUT [-o OUTPUT] [--rm] [--verify] [--variant NAME] [--lanes N] [--batch N]
                  [--eps E] [--frame-bytes N]
  llmzip decompress INPUT [-o OUTPUT] [--rm] [--batch N]
  llmzip info FILE [--json]
  llmzip inspect [--variant NAME] [--json]
  llmzip serve [--port N] [--variant NAME]
  llmzip page -o FOLDER [--variant NAME]
  llmzip runner [--browser wasm|webgpu]

INPUT and FILE may be - for stdin, OUTPUT for stdout.

options:
  -o, --output OUTPUT   file to write, for page a folder (default: INPUT with .llmzip after it, or without it for decompress; stdout for stdin)
  -f, --force           replace OUTPUT if it is already there; write a container to a terminal
  -k, --keep            leave INPUT where it is (the default)
  --rm                  remove INPUT once OUTPUT is complete; never where INPUT is stdin or OUTPUT no file
  --verify              decode what was written, and compare it with INPUT, before OUTPUT takes its name
  --model DIR           folder of the model (default: LLMZIP_MODEL, or models/tiny)
  --variant NAME        variant of the model (default: exact, else q4f16, else the first)
  --threads N           threads of ONNX Runtime (default: 1)
  --provider NAME       execution provider of ONNX Runtime (default: cpu)
  --batch N             most lanes that are fed at once (default: as many as have caches of 192 MiB together, or
                        one where the graph takes no more)
  --lanes N             lanes that decode side by side: a number, or auto, by the length of each frame (default: auto)
  --eps E               largest difference of a log-prob withstood (default: the manifest's)
  --frame-bytes N       plain bytes of a frame (default: ${FRAME_BYTES})
  --no-verify-sha       do not hold the model's files to the manifest beside its folder (default: --verify-sha)
  --json                print JSON
  --port N              port of the page on 127.0.0.1; 0 is any that is free (default: ${DEFAULT_PORT})
  --browser BUILD       answer from a page in Chromium, with onnxruntime-web's build wasm or webgpu
  -q, --quiet           say nothing but errors on stderr
  -h, --help            print this
`;

const OPTIONS = /** @type {const} */ ({
  output: { type: 'string', short: 'o' },
  force: { type: 'boolean', short: 'f' },
  keep: { type: 'boolean', short: 'k' },
  rm: { type: 'boolean' },
  verify: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
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
  port: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
});

/** @type {NodeJS.Signals[]} */
const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const MODEL_OPTIONS = ['model', 'threads', 'provider'];
const VERIFY_OPTIONS = ['verify-sha', 'no-verify-sha'];
const FILE_OPTIONS = ['output', 'force', 'keep', 'rm'];

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
        'verify',
      ],
      takesInput: true,
      run: runCompress,
    },
  ],
  ['decompress', { options: [...FILE_OPTIONS, ...MODEL_OPTIONS, 'batch'], takesInput: true, run: runDecompress }],
  ['info', { options: ['json'], takesInput: true, run: runInfo }],
  [
    'inspect',
    { options: [...MODEL_OPTIONS, ...VERIFY_OPTIONS, 'variant', 'json'], takesInput: false, run: runInspect },
  ],
  ['serve', { options: ['model', 'variant', 'port'], takesInput: false, run: runServe }],
  ['page', { options: ['model', 'variant', 'output'], takesInput: false, run: runPage }],
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
    const foreign = Object.keys(values).find((option) => option !== 'quiet' && !command.options.includes(option));
    if (foreign !== undefined) throw new UsageError(`${name} takes no --${foreign}`, 'see llmzip --help');
    beQuiet(values.quiet === true);
    await command.run(inputs[0], values, stdout);
    return 0;
  } catch (thrown) {
    return report(thrown);
  }
}

/** @param {string[]} args */
function parse(args) {
  try {
    const { values, positionals, tokens } = parseArgs({ args, options: OPTIONS, allowPositionals: true, tokens: true });
    // The last word counts.
    const last = tokens.findLast((token) => token.kind === 'option' && ['keep', 'rm'].includes(token.name));
    if (last?.kind === 'option' && last.name === 'keep') delete values.rm;
    return { values, positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), 'see llmzip --help');
  }
}

/** @type {Command['run']} */
async function runInfo(input, options, stdout) {
  refuseTerminalInput(input);
  const info = await readInfo(readPieces(input));
  const name = findName(info.preamble.modelSha256);
  const text = options.json ? JSON.stringify(infoView(info, name), null, 2) : formatInfo(info, name);
  await stdout.write(new TextEncoder().encode(`${text}\n`));
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
async function runServe(_input, options, stdout) {
  const { servePage } = await import('../browser/serve.mjs');
  const dtype = options.variant === undefined ? undefined : String(options.variant);
  const server = await servePage(modelDirOf(options), { dtype, port: portOption(options) });
  // There is no other way to end it, so that this end is no failure.
  const ended = new Promise((resolve) => {
    for (const signal of ENDINGS) process.removeAllListeners(signal).on(signal, resolve);
  });
  await stdout.write(new TextEncoder().encode(`${server.url}\n`));
  say('the page is served to this machine alone; Ctrl-C ends it');
  await ended;
  server.close();
}

/** @type {Command['run']} */
async function runPage(_input, options) {
  const { output, variant } = options;
  if (!output) throw new UsageError('no folder is named', 'name one with -o');
  const { writeSite } = await import('../browser/write-site.mjs');
  const { files } = await writeSite(
    String(output),
    modelDirOf(options),
    variant === undefined ? undefined : String(variant),
  );
  say(`${files} files in ${output}`);
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
