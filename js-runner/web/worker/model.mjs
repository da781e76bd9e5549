/**
 * The page's model: one graph at a time, loaded from verified files by `core`'s loader.
 *
 * Owns which graph is loaded, and what the page is told of it.
 *
 * @module
 */

import { IoError, reason, UsageError } from '../../src/core/errors.mjs';
import { CPU, DEFAULT_SETTINGS, loadModelWith } from '../../src/core/model/load.mjs';
import { systemSha256, webEngine } from '../../src/web/engine.mjs';
import { openWasmSession, runtime } from '../../src/web/session.mjs';
import { CATALOGUE, CONFIG_FILE, offeredFile, TOKENIZER_FILE } from './catalogue.mjs';
import { areKept, dropOthers, readModelFile } from './model-cache.mjs';

/** @typedef {import('./catalogue.mjs').Catalogue} Catalogue */
/** @typedef {import('./catalogue.mjs').OfferedVariant} OfferedVariant */
/** @typedef {import('../../src/core/model/load.mjs').LoadedModel} LoadedModel */

/**
 * What the page says of the model. `known` tells whether a manifest states every hash that its files were held to.
 *
 * @typedef {object} ModelStory
 * @property {string} name
 * @property {string} dtype
 * @property {string[]} dtypes those that may be chosen
 * @property {string} sha256
 * @property {string} tokenizerSha256
 * @property {number} bytes of all its files
 * @property {boolean} known
 * @property {boolean} exact
 * @property {string} reason why it is taken as exact, or not
 * @property {string} eps
 * @property {string} runtime
 * @property {number} threads
 * @property {boolean} kept whether its files are in this browser, for a page without its server
 */

export class PageModel {
  #base;
  #threads;
  /** @type {Catalogue | undefined} */
  #catalogue;
  /** @type {{ dtype: string, model: LoadedModel } | undefined} */
  #loaded;

  /**
   * @param {URL} base the page's address
   * @param {{ mjs: string, wasm: string }} runtimeFiles of the build, relative to the page
   * @param {number} threads
   */
  constructor(base, { mjs, wasm }, threads) {
    this.#base = base;
    this.#threads = threads;
    runtime.env.wasm.wasmPaths = { mjs: new URL(mjs, base).href, wasm: new URL(wasm, base).href };
  }

  /**
   * @returns {Promise<Catalogue>}
   * @throws {IoError}
   */
  async catalogue() {
    if (!this.#catalogue) {
      try {
        const response = await fetch(new URL(CATALOGUE, this.#base), { cache: 'no-cache' });
        if (!response.ok) throw new Error(`the server answers ${response.status}`);
        this.#catalogue = /** @type {Catalogue} */ (await response.json());
      } catch (cause) {
        throw new IoError(
          `cannot get the list of models: ${reason(cause)}`,
          'check that the server of this page still runs, then load the page again',
          cause,
        );
      }
      await dropOthers(this.#base, this.#catalogue);
    }
    return this.#catalogue;
  }

  /**
   * @param {string} [dtype] the catalogue's choice unless given
   * @returns {Promise<OfferedVariant>}
   * @throws {IoError | UsageError} there is no such variant
   */
  async variant(dtype) {
    const { name, variants, variant } = await this.catalogue();
    const wanted = dtype ?? variant;
    const found = variants.find((each) => each.dtype === wanted);
    if (found) return found;
    const known = variants.map((each) => each.dtype).join(', ');
    throw new UsageError(`the model ${name} has no variant ${wanted} here`, `use one of: ${known}`);
  }

  /**
   * @param {OfferedVariant} variant
   * @param {(done: number, total: number) => void} fetched told of the bytes that came from the server
   * @returns {Promise<LoadedModel>}
   * @throws {import('../../src/core/errors.mjs').LlmzipError}
   */
  async load(variant, fetched) {
    if (this.#loaded?.dtype === variant.dtype) return this.#loaded.model;
    const catalogue = await this.catalogue();
    await this.close();
    const total = filesOf(catalogue, variant).reduce((sum, { bytes }) => sum + bytes, 0);
    let done = 0;
    /** @type {import('../../src/core/model/model-files.mjs').ModelFolder} */
    const folder = {
      readModelFile: (path) =>
        readModelFile(this.#base, offeredFile(catalogue, path), (bytes) => {
          done += bytes;
          fetched(done, total);
        }),
      sha256: systemSha256,
      beside: (path, file) => `${path.slice(0, path.lastIndexOf('/') + 1)}${file}`,
      join: (parent, file) => (parent === '' ? file : `${parent}/${file}`),
    };
    const engine = webEngine({ runtime, open: openWasmSession, provider: CPU });
    const settings = { ...DEFAULT_SETTINGS, threads: this.#threads };
    const model = await loadModelWith(folder, engine, '', variant.file, settings, {
      model: variant.sha256,
      tokenizer: offeredFile(catalogue, TOKENIZER_FILE).sha256,
      config: offeredFile(catalogue, CONFIG_FILE).sha256,
    });
    this.#loaded = { dtype: variant.dtype, model };
    return model;
  }

  /** Frees the graph that is loaded, if there is one. */
  async close() {
    await this.#loaded?.model.dispose();
    this.#loaded = undefined;
  }

  /**
   * What there is to say of a model that is loaded.
   *
   * @param {OfferedVariant} variant
   * @param {LoadedModel} model
   * @returns {Promise<ModelStory>}
   */
  async story(variant, model) {
    const catalogue = await this.catalogue();
    const files = filesOf(catalogue, variant);
    const { exact, reason: why } = model.source.exactness;
    return {
      name: catalogue.name,
      dtype: variant.dtype,
      dtypes: catalogue.variants.map(({ dtype }) => dtype),
      sha256: model.modelSha256,
      tokenizerSha256: model.tokenizerSha256,
      bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      known: variant.known && files.every(({ known }) => known),
      exact,
      reason: why,
      eps: variant.eps,
      runtime: `ONNX Runtime ${model.versions.runtime}`,
      threads: this.#threads,
      kept: await areKept(this.#base, files),
    };
  }
}

/**
 * @param {Catalogue} catalogue
 * @param {OfferedVariant} variant
 */
function filesOf(catalogue, { file, data }) {
  return [file, ...data, TOKENIZER_FILE, CONFIG_FILE].map((path) => offeredFile(catalogue, path));
}
