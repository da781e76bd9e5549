/** Model folders to models that predict, in real sessions on small graphs and on the tiny model. */

import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Tensor } from 'onnxruntime-common';
import {
  IntegrityError,
  ModelError,
  SetupError,
  UnsupportedError,
  UsageError,
  VocabularyError,
} from '../src/core/errors.mjs';
import { nextTokenLogProbs } from '../src/core/logprobs.mjs';
import { rowsOfKnownTokens } from '../src/core/model/context.mjs';
import { SessionSource } from '../src/core/model/session.mjs';
import { readSignature } from '../src/core/model/signature.mjs';
import { float16Values } from '../src/core/model/source.mjs';
import { DEFAULT_SETTINGS, loadModel } from '../src/node/loader.mjs';
import {
  hashesOf,
  TINY,
  TINY_VARIANTS,
  temporaryFolder,
  withoutTiny,
  writeModelFolder,
} from './support/model-folder.mjs';
import { compressBytes, decompressBytes } from './support/streams.mjs';

const MODEL_FILE = 'onnx/model_q4.onnx';
const POLICY = { startToken: 0, window: 6, overlap: 2 };
const IDS = Uint32Array.of(1, 2, 3, 4, 5, 6, 7, 0, 1, 3, 5);

const CACHE = [{ name: 'past_key_values.0.key', type: 'float32', shape: ['b', 1, 'past', 2] }];
const PRESENT = [{ name: 'present.0.key', type: 'float32', shape: ['b', 1, 'total', 2] }];

suite('small graphs', () => {
  /**
   * Loads a folder and holds the rows of known tokens to the graph's table.
   *
   * @param {string} what
   * @param {import('./support/model-folder.mjs').FolderOptions} options
   * @param {{ batch?: 'dynamic' | 'static', logitsType?: string }} [expected]
   */
  const drives = (what, options, { batch = 'dynamic', logitsType = 'float32' } = {}) =>
    test(`drives ${what}`, async (context) => {
      const { folder } = writeModelFolder(temporaryFolder(context), options);
      const model = await loadModel(folder, MODEL_FILE);
      context.after(() => model.dispose());
      assert.equal(model.inspection.batch_policy.batch, batch);
      assert.equal(model.source.logitsType, logitsType);
      for (const plan of [
        { lanes: 1, chunk: 1 },
        { lanes: 3, chunk: 1 },
        { lanes: 2, chunk: 4 },
      ]) {
        let rows = 0;
        for await (const { index, step, logits } of rowsOfKnownTokens(model.source, POLICY, plan, IDS)) {
          const previous = step === 0 ? POLICY.startToken : IDS[index - 1];
          const expected = Array.from({ length: 8 }, (_, id) => ((previous * 7 + id * 3) % 11) / 4);
          const found =
            logits instanceof Uint16Array ? Array.from(logits, (bits) => float16Values()[bits]) : Array.from(logits);
          assert.deepEqual(found, expected);
          rows += 1;
        }
        assert.equal(rows, IDS.length);
      }
    });

  drives('32-bit logits', {});
  drives('16-bit logits and caches', { graph: { type: 'float16' } }, { logitsType: 'float16' });
  drives('caches of bytes with scales', { graph: { cacheType: 'uint8', hasScale: true } });
  drives('masks and positions where declared', { graph: { ignoredInputs: ['attention_mask', 'position_ids'] } });
  drives('a fixed batch', { graph: { batch: 1 } }, { batch: 'static' });
  drives('one token at a time, where the graph takes no more', { graph: { sequence: 1 } });
  drives('ids of 32 bits', { graph: { idsType: 'int32' } });
  drives('open heads, from num_key_value_heads', {
    graph: { cacheShape: ['heads', 'past_sequence_length', 2] },
    config: { num_key_value_heads: 1 },
  });
  drives('a symbolic head dimension, from head_dim', {
    graph: { cacheShape: [1, 'past_sequence_length', 'head'] },
    config: { head_dim: 2 },
  });
  drives('a symbolic head dimension, from hidden_size', {
    graph: { cacheShape: [1, 'past_sequence_length', 'head'] },
    config: { hidden_size: 12, num_attention_heads: 6 },
  });

  test('a fixed batch takes no lanes at once', async (context) => {
    const { folder } = writeModelFolder(temporaryFolder(context), { graph: { batch: 1 } });
    const { source, dispose } = await loadModel(folder, MODEL_FILE);
    context.after(dispose);
    assert.throws(() => source.reset(2), {
      code: 'unsupported',
      message: /one lane at a time, not 2: .* is fixed at 1/,
    });
  });

  test('a round trip on 16-bit logits', async (context) => {
    const { folder } = writeModelFolder(temporaryFolder(context), { graph: { type: 'float16' } });
    const model = await loadModel(folder, MODEL_FILE);
    context.after(() => model.dispose());
    const plain = Uint8Array.from(Buffer.from('abcdef fedcba\n'.repeat(20)));
    const { container, result } = await compressBytes(plain, model, {
      eps: { mantissa: 2, exponent: 2 },
      policy: POLICY,
      lanes: 3,
    });
    assert.equal(result.tokens, plain.length);
    assert.deepEqual((await decompressBytes(container, model)).plain, plain);
  });

  /**
   * @param {string} what
   * @param {import('./support/model-folder.mjs').FolderOptions} options
   * @param {new (...args: any[]) => Error} expected
   * @param {RegExp} message
   */
  const refuses = (what, options, expected, message) =>
    test(`refuses ${what}`, async (context) => {
      const { folder } = writeModelFolder(temporaryFolder(context), options);
      await rejects(loadModel(folder, MODEL_FILE), expected, message);
    });

  refuses('an input that nobody feeds', { graph: { ignoredInputs: ['token_type_ids'] } }, ModelError, /token_type_ids/);
  refuses('weights in another folder', { graph: { tableFile: '../weights' } }, ModelError, /not beside the model file/);
  refuses('a batch fixed at 4', { graph: { batch: 4 } }, ModelError, /batches of 4 only/);
  refuses(
    'a fixed number of tokens',
    { graph: { sequence: 3 } },
    ModelError,
    /the sequence dimension of input_ids is fixed at 3/,
  );
  refuses('a cache without an output', { graph: { hasPresent: false } }, ModelError, /present\.0\.key/);
  refuses(
    'an open head dimension that nothing gives',
    { graph: { cacheShape: [1, 'p', 'h'] } },
    ModelError,
    /no usable hidden_size/,
  );
  refuses(
    'a config of another vocabulary',
    { config: { vocab_size: 9 } },
    VocabularyError,
    /vocabulary of 8, config\.json says 9/,
  );
  refuses(
    'a tokenizer of a larger vocabulary',
    { tokenizer: { model: { type: 'BPE', unk_token: null, vocab: { a: 0, b: 8 }, merges: [] } } },
    VocabularyError,
    /largest id is 8/,
  );
  refuses(
    'a tokenizer that is none',
    { tokenizer: { model: { type: 'BPE', vocab: { a: 0 } } } },
    ModelError,
    /not a tokenizer/,
  );

  test('a logit that is not finite is an error of the model', async (context) => {
    const { folder } = writeModelFolder(temporaryFolder(context), {
      graph: { logit: (_, id) => (id === 4 ? Number.NaN : 0) },
    });
    const model = await loadModel(folder, MODEL_FILE);
    context.after(() => model.dispose());
    const rows = nextTokenLogProbs(model.source, POLICY, { lanes: 1, chunk: 1 }, IDS);
    await rejects(rows.next(), ModelError, /logit NaN for id 4/);
  });

  test('another vocabulary is refused even where the graph leaves it open', async () => {
    // ONNX Runtime infers the width of small graphs, so that this needs a session that gives logits of another one.
    const run = async () => ({ logits: new Tensor('float32', new Float32Array(8), [1, 1, 8]) });
    const ids = { name: 'input_ids', type: 'int64', shape: ['b', 's'] };
    const logits = { name: 'logits', type: 'float32', shape: ['b', 's', 'vocabulary'] };
    const signature = { ...readSignature([ids, ...CACHE], [logits, ...PRESENT], { vocab_size: 9 }), caches: [] };
    const source = new SessionSource({ run }, signature, { exact: false, reason: '' });
    await rejects(source.feed(Uint32Array.of(1), 1), VocabularyError, /predicts 8 tokens, .* vocab_size of 9/);
  });

  test('an id outside the table is an error of the model, not of the process', async (context) => {
    const { folder } = writeModelFolder(temporaryFolder(context), { graph: {} });
    const model = await loadModel(folder, MODEL_FILE);
    context.after(() => model.dispose());
    model.source.reset(1);
    await rejects(model.source.feed(Uint32Array.of(99), 1), ModelError, /the graph fails on 1 x 1 ids after 0/);
  });
});

suite('files', () => {
  test('that are missing are named', async (context) => {
    const folder = temporaryFolder(context);
    await rejects(loadModel(folder, MODEL_FILE), SetupError, /model_q4\.onnx/);
    writeModelFolder(folder);
    writeFileSync(join(folder, 'config.json'), '[]');
    await rejects(loadModel(folder, MODEL_FILE), ModelError, /config\.json is not a JSON object/);
    writeFileSync(join(folder, 'config.json'), '{');
    await rejects(loadModel(folder, MODEL_FILE), ModelError, /config\.json is not JSON/);
  });

  test('with another hash are refused, and both hashes named', async (context) => {
    const { folder, ...right } = writeModelFolder(temporaryFolder(context));
    const wrong = 'ab'.repeat(32);
    const both = (/** @type {string} */ hash) => new RegExp(`${hash}.*${wrong}`);
    await rejects(
      loadModel(folder, MODEL_FILE, DEFAULT_SETTINGS, { ...right, model: wrong }),
      IntegrityError,
      both(right.model),
    );
    await rejects(
      loadModel(folder, MODEL_FILE, DEFAULT_SETTINGS, { ...right, tokenizer: wrong }),
      IntegrityError,
      both(right.tokenizer),
    );
    await rejects(
      loadModel(folder, MODEL_FILE, DEFAULT_SETTINGS, { ...right, config: wrong }),
      IntegrityError,
      /config\.json/,
    );
    await (await loadModel(folder, MODEL_FILE, DEFAULT_SETTINGS, right)).dispose();
  });

  test('that are no ONNX are an error of the model', async (context) => {
    const { folder } = writeModelFolder(temporaryFolder(context));
    writeFileSync(join(folder, MODEL_FILE), 'no graph');
    await rejects(loadModel(folder, MODEL_FILE), ModelError, /not an ONNX model/);
    writeFileSync(join(folder, MODEL_FILE), Uint8Array.of(0x3a, 0x00));
    await rejects(loadModel(folder, MODEL_FILE), ModelError, /cannot load/);
  });

  for (const file of ['../onnx/model.onnx', '/etc/model.onnx', 'onnx\\..\\..\\model.onnx', 'onnx/model.bin', '']) {
    test(`${JSON.stringify(file)} is no model file`, (context) =>
      rejects(
        loadModel(writeModelFolder(temporaryFolder(context)).folder, file),
        UsageError,
        /no path of an \.onnx file/,
      ));
  }

  test('of any name and folder are loaded', async (context) => {
    const { folder } = writeModelFolder(temporaryFolder(context));
    cpSync(join(folder, MODEL_FILE), join(folder, 'exact.onnx'));
    cpSync(join(folder, MODEL_FILE), join(folder, 'deep/er/model_exact.int8.onnx'));
    for (const file of ['exact.onnx', 'deep/er/model_exact.int8.onnx']) {
      const model = await loadModel(folder, file);
      assert.equal(model.modelSha256, hashesOf(folder, file).model);
      await model.dispose();
    }
  });

  test('settings that are not known are refused', async (context) => {
    const { folder } = writeModelFolder(temporaryFolder(context));
    for (const threads of [0, 1025]) {
      await rejects(loadModel(folder, MODEL_FILE, { ...DEFAULT_SETTINGS, threads }), UsageError, /threads are not/);
    }
    for (const batch of [0, 257]) {
      await rejects(loadModel(folder, MODEL_FILE, { ...DEFAULT_SETTINGS, batch }), UsageError, /a batch of \d+ lanes/);
    }
    await rejects(loadModel(folder, MODEL_FILE, { ...DEFAULT_SETTINGS, provider: 'tpu' }), UnsupportedError, /tpu/);
    await rejects(
      loadModel(folder, MODEL_FILE, { ...DEFAULT_SETTINGS, graphOptimization: 'most' }),
      UsageError,
      /most/,
    );
  });
});

suite('tiny model', { skip: withoutTiny }, () => {
  // Six layers of keys and values, two heads of 32 each; the exact graph has bytes and a scale of 4 for a head.
  for (const [variant, expected] of Object.entries({ q4: 3072, q4f16: 1536, exact: 864 })) {
    test(`${variant}: an input takes what the caches declare unless a batch was asked for`, async (context) => {
      for (const [batch, bytes] of [
        [undefined, expected],
        [4, 0],
      ]) {
        const model = await loadModel(TINY, `onnx/model_${variant}.onnx`, { ...DEFAULT_SETTINGS, batch });
        context.after(() => model.dispose());
        assert.equal(model.source.cacheBytes, bytes);
      }
    });
  }

  for (const variant of TINY_VARIANTS) {
    test(`${variant}: one pass, chunks, lanes and threads see the same text`, async (context) => {
      const file = `onnx/model_${variant}.onnx`;
      const model = await loadModel(TINY, file, DEFAULT_SETTINGS, hashesOf(TINY, file));
      context.after(() => model.dispose());
      const ids = Uint32Array.from(model.tokenizer.encode(Array.from({ length: 40 }, (_, i) => i + 1).join('\n')));
      const policy = { startToken: 0, window: 64, overlap: 16 };
      const single = await sumOf(model, policy, { lanes: 1, chunk: 1 }, ids);
      assert.ok(single < 0 && single > -8 * ids.length, `${single} nats for ${ids.length} tokens`);
      const chunked = await sumOf(model, policy, { lanes: 1, chunk: 32 }, ids);
      const { exact } = model.source.exactness;
      if (exact) assert.equal(chunked, single);
      else assert.ok(Math.abs(chunked - single) < 0.02 * ids.length);
      const plain = Uint8Array.from(Buffer.from('1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n'.repeat(3)));
      const eps = exact
        ? { mantissa: 0, exponent: 0 }
        : { mantissa: variant === 'q4' ? 5 : 2, exponent: variant === 'q4' ? 5 : 2 };
      const { container } = await compressBytes(plain, model, { eps, policy, lanes: 4 });
      assert.deepEqual((await decompressBytes(container, model)).plain, plain);
    });
  }

  test('the bytes that are loaded are those that were hashed', async (context) => {
    const folder = join(temporaryFolder(context), 'copy');
    cpSync(TINY, folder, { recursive: true });
    const file = 'onnx/model_q4.onnx';
    const bytes = readFileSync(join(folder, file));
    bytes[bytes.length - 5000] ^= 1;
    writeFileSync(join(folder, file), bytes);
    await rejects(
      loadModel(folder, file, DEFAULT_SETTINGS, hashesOf(TINY, file)),
      IntegrityError,
      /model_q4\.onnx has SHA-256/,
    );
  });
});

/**
 * @param {import('../src/node/loader.mjs').LoadedModel} model
 * @param {import('../src/core/model/context.mjs').ContextPolicy} policy
 * @param {import('../src/core/model/context.mjs').Plan} plan
 * @param {Uint32Array} ids
 * @returns {Promise<number>} the log-prob of the whole, in nats
 */
async function sumOf(model, policy, plan, ids) {
  let sum = 0;
  for await (const { logProb } of nextTokenLogProbs(model.source, policy, plan, ids)) sum += logProb;
  return sum;
}

/**
 * @param {Promise<unknown>} promise
 * @param {new (...args: any[]) => Error} expected
 * @param {RegExp} message
 */
function rejects(promise, expected, message) {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof expected, String(error));
    assert.match(error.message, message);
    return true;
  });
}
