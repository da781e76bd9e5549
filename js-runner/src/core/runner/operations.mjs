/**
 * What a runner does (PROTOCOL.md, operations). Owns the mapping of params to the library and of its answers to results; knows
 * nothing of lines and streams, and reaches files through its host alone.
 *
 * @module
 */

import { decompress } from '../compressor/decode.mjs';
import { compress } from '../compressor/encode.mjs';
import { readUpTo } from '../compressor/frames.mjs';
import { parseEps } from '../container/eps.mjs';
import { MAX_FRAME_BYTES, MAX_VOCAB_SIZE } from '../container/layout.mjs';
import { UnsupportedError, UsageError } from '../errors.mjs';
import { writeLogProbs } from '../logprobs.mjs';
import { MAX_LANES, MAX_WINDOW } from '../model/context.mjs';
import { checkIds } from '../model/tokenizer.mjs';
import { timeRoundTrips } from '../timing.mjs';
import { Parameters } from './parameters.mjs';

/** @typedef {import('../compressor/progress.mjs').Pieces} Pieces */
/** @typedef {import('../compressor/progress.mjs').Progress} Progress */
/** @typedef {import('../model/context.mjs').ContextPolicy} ContextPolicy */
/** @typedef {import('../model/load.mjs').ExpectedHashes} ExpectedHashes */
/** @typedef {import('../model/load.mjs').LoadedModel} LoadedModel */
/** @typedef {import('../model/load.mjs').SessionOptions} SessionOptions */
/** @typedef {import('../model/load.mjs').Versions} Versions */
/** @typedef {(params: Parameters, progress: Progress) => object | Promise<object>} Operation */

/**
 * An output file of a request.
 *
 * @typedef {object} Output
 * @property {(bytes: Uint8Array) => void | Promise<void>} write behind what was written before
 * @property {(bytes: Uint8Array, offset: number) => void | Promise<void>} writeAt `offset` from the start of the file
 */

/**
 * Where a runner runs: its name, its files, and what computes there. Output files take their names when the work succeeds, and none is left
 * when it fails.
 *
 * @typedef {object} RunnerHost
 * @property {string} name
 * @property {(path: string) => boolean} isAbsolute
 * @property {(settings?: SessionOptions, versions?: Versions) => object} fingerprint
 * @property {(modelDir: string, modelFile: string, settings: SessionOptions, expected: ExpectedHashes) => Promise<LoadedModel>} loadModel
 * @property {(path: string) => Pieces} readPieces
 * @property {<T>(paths: string[], work: (files: Output[]) => Promise<T>) => Promise<T>} withOutputFiles
 */

const PROTOCOL = 1;
const MAX_THREADS = 1024;
const MAX_RUNS = 1000;

/** The operations, and the model that is loaded. */
export class Operations {
  #host;
  /** @type {LoadedModel | undefined} */
  #model;
  /** @type {Map<string, Operation>} */
  #operations = new Map(
    Object.entries({
      hello: (params) => this.#hello(params),
      load: (params) => this.#load(params),
      inspect: (params) => this.#inspect(params),
      tokenize: (params) => this.#tokenize(params),
      detokenize: (params) => this.#detokenize(params),
      logprobs: (params, progress) => this.#logprobs(params, progress),
      compress: (params, progress) => this.#compress(params, progress),
      decompress: (params, progress) => this.#decompress(params, progress),
      bench: (params, progress) => this.#bench(params, progress),
      bye: (params) => this.#bye(params),
    }),
  );

  /** @param {RunnerHost} host */
  constructor(host) {
    this.#host = host;
  }

  /**
   * Answers one request.
   *
   * @param {string} op
   * @param {unknown} params
   * @param {Progress} progress
   * @returns {Promise<object>} the result
   * @throws {import('../errors.mjs').LlmzipError}
   */
  async run(op, params, progress) {
    const operation = this.#operations.get(op);
    if (!operation) {
      throw new UnsupportedError(
        `there is no operation "${op.slice(0, 40)}"`,
        `use one of ${[...this.#operations.keys()].join(', ')}`,
      );
    }
    return operation(new Parameters(op, params, this.#host.isAbsolute), progress);
  }

  /** @param {Parameters} params */
  #hello(params) {
    const protocol = params.integer('protocol');
    params.checkAllAsked();
    if (protocol !== PROTOCOL) {
      throw new UsageError(`protocol ${protocol} is not known`, `this runner speaks protocol ${PROTOCOL}`);
    }
    const { name, fingerprint } = this.#host;
    return { protocol: PROTOCOL, name, ops: [...this.#operations.keys()], fingerprint: fingerprint() };
  }

  /** @param {Parameters} params */
  async #load(params) {
    const { modelDir, modelFile, settings, expected } = loadOf(params);
    // A failed load leaves no model behind that a later request could be answered with.
    await this.#model?.dispose();
    this.#model = undefined;
    const model = await this.#host.loadModel(modelDir, modelFile, settings, expected);
    this.#model = model;
    return {
      model_sha256: model.modelSha256,
      tokenizer_sha256: model.tokenizerSha256,
      vocab_size: model.source.vocabSize,
      tokenizer_size: model.tokenizer.size,
      logits_type: model.source.logitsType,
      fingerprint: this.#host.fingerprint(model.settings, model.versions),
    };
  }

  /** @param {Parameters} params */
  #inspect(params) {
    params.checkAllAsked();
    return this.#loaded().inspection;
  }

  /** @param {Parameters} params */
  #tokenize(params) {
    const text = params.text('text');
    params.checkAllAsked();
    return { ids: this.#loaded().tokenizer.encode(text) };
  }

  /** @param {Parameters} params */
  #detokenize(params) {
    const ids = params.ids('ids');
    params.checkAllAsked();
    const { tokenizer } = this.#loaded();
    const unknown = ids.find((id) => !tokenizer.has(id));
    if (unknown !== undefined) {
      throw new UsageError(`the tokenizer has no token of id ${unknown}`, 'give ids that `tokenize` gave');
    }
    return { text: tokenizer.decode(ids) };
  }

  /**
   * @param {Parameters} params
   * @param {Progress} progress
   */
  async #logprobs(params, progress) {
    const { source } = this.#loaded();
    const ids = params.ids('ids');
    const policy = policyOf(params);
    const planParams = params.object('plan');
    const plan = { lanes: planParams.integer('lanes', 1, MAX_LANES), chunk: planParams.integer('chunk', 1) };
    planParams.checkAllAsked();
    const paths = [params.path('logits_file'), params.path('coded_file')];
    const rowsFile = params.optionalPath('rows_file');
    if (rowsFile !== undefined) paths.push(rowsFile);
    params.checkAllAsked();
    // Before they are narrowed to 32 bits.
    checkIds(ids, source.vocabSize);
    await this.#host.withOutputFiles(paths, (files) => {
      const [logits, coded, rows] = files.map((file) => {
        /** @type {import('../logprobs.mjs').WriteAt} */
        const writeAt = async (bytes, offset) => file.writeAt(bytes, offset);
        return writeAt;
      });
      return writeLogProbs(source, policy, plan, Uint32Array.from(ids), { logits, coded, rows }, progress);
    });
    return { rows: ids.length, vocab_size: source.vocabSize, logits_type: source.logitsType };
  }

  /**
   * @param {Parameters} params
   * @param {Progress} progress
   */
  async #compress(params, progress) {
    const model = this.#loaded();
    const settings = {
      eps: parseEps(params.text('eps')),
      policy: policyOf(params),
      lanes: params.integer('lanes', 1, MAX_LANES),
      frameBytes: params.integer('frame_bytes', 1, MAX_FRAME_BYTES),
    };
    const input = params.path('input_file');
    const output = params.path('output_file');
    params.checkAllAsked();
    return this.#host.withOutputFiles([output], ([file]) =>
      compress(this.#host.readPieces(input), (bytes) => file.write(bytes), model, settings, progress),
    );
  }

  /**
   * @param {Parameters} params
   * @param {Progress} progress
   */
  async #decompress(params, progress) {
    const model = this.#loaded();
    const input = params.path('input_file');
    const output = params.path('output_file');
    params.checkAllAsked();
    return this.#host.withOutputFiles([output], ([file]) =>
      decompress(this.#host.readPieces(input), (bytes) => file.write(bytes), model, progress),
    );
  }

  /**
   * @param {Parameters} params
   * @param {Progress} progress
   */
  async #bench(params, progress) {
    const model = this.#loaded();
    const settings = {
      eps: parseEps(params.text('eps')),
      policy: policyOf(params),
      lanes: params.integer('lanes', 1, MAX_LANES),
    };
    const runs = params.integer('runs', 1, MAX_RUNS);
    const input = params.path('input_file');
    params.checkAllAsked();
    // One byte more than can be timed, which is then refused.
    const plain = await readUpTo(this.#host.readPieces(input), MAX_FRAME_BYTES + 1);
    return timeRoundTrips(plain, model, settings, runs, progress);
  }

  /** @param {Parameters} params */
  #bye(params) {
    params.checkAllAsked();
    return {};
  }

  #loaded() {
    if (!this.#model) throw new UsageError('no model is loaded', 'send load first, and look at its answer');
    return this.#model;
  }
}

/**
 * What `load` asks for.
 *
 * @param {Parameters} params
 * @throws {UsageError}
 */
export function loadOf(params) {
  const asked = {
    modelDir: params.path('model_dir'),
    modelFile: params.text('model_file'),
    expected: { model: params.sha256('model_sha256'), tokenizer: params.sha256('tokenizer_sha256') },
    settings: {
      threads: params.integer('threads', 1, MAX_THREADS),
      provider: params.text('provider'),
      graphOptimization: params.text('graph_optimization'),
    },
  };
  params.checkAllAsked();
  return asked;
}

/**
 * @param {Parameters} params
 * @returns {ContextPolicy}
 */
function policyOf(params) {
  const window = params.integer('window', 2, MAX_WINDOW);
  return {
    startToken: params.integer('start_token', 0, MAX_VOCAB_SIZE),
    window,
    overlap: params.integer('overlap', 0, window - 1),
  };
}
