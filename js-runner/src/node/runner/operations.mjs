/**
 * What a runner does (PROTOCOL.md, operations). Owns the mapping of params to the library and of its answers to results; knows
 * nothing of lines and streams: that is `loop`'s.
 *
 * @module
 */

import { decompress } from '../../core/compressor/decode.mjs';
import { compress } from '../../core/compressor/encode.mjs';
import { parseEps } from '../../core/container/eps.mjs';
import { MAX_FRAME_BYTES, MAX_VOCAB_SIZE } from '../../core/container/layout.mjs';
import { UnsupportedError, UsageError } from '../../core/errors.mjs';
import { writeLogProbs } from '../../core/logprobs.mjs';
import { MAX_LANES, MAX_WINDOW } from '../../core/model/context.mjs';
import { checkIds } from '../../core/model/tokenizer.mjs';
import { readPieces, withOutputFiles } from '../files.mjs';
import { fingerprint } from '../fingerprint.mjs';
import { loadModel } from '../loader.mjs';
import { Parameters } from './parameters.mjs';

/** @typedef {import('../../core/compressor/progress.mjs').Progress} Progress */
/** @typedef {import('../../core/model/context.mjs').ContextPolicy} ContextPolicy */
/** @typedef {import('../loader.mjs').LoadedModel} LoadedModel */
/** @typedef {(params: Parameters, progress: Progress) => object | Promise<object>} Operation */

const PROTOCOL = 1;
const NAME = 'node';
const MAX_THREADS = 1024;

/** The operations, and the model that is loaded. */
export class Operations {
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
      bye: (params) => this.#bye(params),
    }),
  );

  /**
   * Answers one request.
   *
   * @param {string} op
   * @param {unknown} params
   * @param {Progress} progress
   * @returns {Promise<object>} the result
   * @throws {import('../../core/errors.mjs').LlmzipError}
   */
  async run(op, params, progress) {
    const operation = this.#operations.get(op);
    if (!operation) {
      throw new UnsupportedError(
        `there is no operation "${op.slice(0, 40)}"`,
        `use one of ${[...this.#operations.keys()].join(', ')}`,
      );
    }
    return operation(new Parameters(op, params), progress);
  }

  /** @param {Parameters} params */
  #hello(params) {
    const protocol = params.integer('protocol');
    params.checkAllAsked();
    if (protocol !== PROTOCOL) {
      throw new UsageError(`protocol ${protocol} is not known`, `this runner speaks protocol ${PROTOCOL}`);
    }
    return { protocol: PROTOCOL, name: NAME, ops: [...this.#operations.keys()], fingerprint: fingerprint() };
  }

  /** @param {Parameters} params */
  async #load(params) {
    const modelDir = params.path('model_dir');
    const modelFile = params.text('model_file');
    const expected = { model: params.sha256('model_sha256'), tokenizer: params.sha256('tokenizer_sha256') };
    const settings = {
      threads: params.integer('threads', 1, MAX_THREADS),
      provider: params.text('provider'),
      graphOptimization: params.text('graph_optimization'),
    };
    params.checkAllAsked();
    // A failed load leaves no model behind that a later request could be answered with.
    await this.#model?.dispose();
    this.#model = undefined;
    const model = await loadModel(modelDir, modelFile, settings, expected);
    this.#model = model;
    return {
      model_sha256: model.modelSha256,
      tokenizer_sha256: model.tokenizerSha256,
      vocab_size: model.source.vocabSize,
      tokenizer_size: model.tokenizer.size,
      logits_type: model.source.logitsType,
      fingerprint: fingerprint(model.settings, model.versions),
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
    await withOutputFiles(paths, true, (files) => {
      const [logits, coded, rows] = files.map((file) => {
        /** @type {import('../../core/logprobs.mjs').WriteAt} */
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
    return withOutputFiles([output], true, ([file]) =>
      compress(readPieces(input), (bytes) => file.write(bytes), model, settings, progress),
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
    return withOutputFiles([output], true, ([file]) =>
      decompress(readPieces(input), (bytes) => file.write(bytes), model, progress),
    );
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
