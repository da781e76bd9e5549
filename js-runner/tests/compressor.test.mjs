/** Bytes to a container and back, on synthetic models. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { decompress } from '../src/core/compressor/decode.mjs';
import { compress } from '../src/core/compressor/encode.mjs';
import { ByteReader } from '../src/core/container/bytes.mjs';
import { parseEps } from '../src/core/container/eps.mjs';
import { readFrame, readPreamble, writeCodedFrame, writeEnd } from '../src/core/container/layout.mjs';
import {
  DivergenceError,
  FormatError,
  IntegrityError,
  LlmzipError,
  ModelError,
  UnsupportedError,
  UsageError,
  VocabularyError,
} from '../src/core/errors.mjs';
import { sha256Hex } from '../src/core/model/provenance.mjs';
import { compressBytes, decompressBytes, Sink } from './support/streams.mjs';
import { syntheticModel } from './support/synthetic.mjs';

const POLICY = { startToken: 0, window: 16, overlap: 4 };
const SETTINGS = { eps: parseEps('5e-5'), policy: POLICY, lanes: 2 };
const TEXT = Buffer.from('the 10 and 10 ing, compress the \n日本 and 😀, '.repeat(6));
const FAVOURS = TEXT.toString();
const PREAMBLE_AND_END = 71 + 6 * 8 + 33 + 4 + 33;
const STORED_OVERHEAD = 13;

const plains = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc
        .constantFrom('the ', 'and ', 'ing', '10', '\n', 'é', '日本', '😀', 'Z', '\r\n', '\0')
        .map((text) => Buffer.from(text)),
      fc.string({ unit: 'binary', maxLength: 6 }).map((text) => Buffer.from(text)),
    ),
    { maxLength: 40 },
  )
  .map((pieces) => Uint8Array.from(Buffer.concat(pieces)));

const settings = fc
  .record({
    eps: fc.constantFrom('0', '1e-6', '5e-5', '1e-3', '2e-2', '5e-1').map(parseEps),
    lanes: fc.integer({ min: 1, max: 7 }),
    frameBytes: fc.integer({ min: 1, max: 120 }),
    window: fc.integer({ min: 2, max: 20 }),
    part: fc.nat(),
  })
  .map(({ eps, lanes, frameBytes, window, part }) => ({
    eps,
    lanes,
    frameBytes,
    policy: { startToken: 5, window, overlap: part % window },
  }));

/** @param {import('./support/synthetic.mjs').SyntheticOptions} [options] */
const modelOf = (options) => syntheticModel({ favours: FAVOURS, ...options });

suite('round trips', () => {
  test('any bytes, any settings', async () => {
    await fc.assert(
      fc.asyncProperty(
        plains,
        settings,
        fc.constantFrom(Number.POSITIVE_INFINITY, 1, 2),
        fc.constantFrom('float32', 'float16'),
        async (plain, choice, maxBatch, logitsType) => {
          const model = modelOf({ maxBatch, logitsType: /** @type {'float32'} */ (logitsType) });
          const written = await compressBytes(plain, model, choice);
          const read = await decompressBytes(written.container, model);
          assert.deepEqual(read.plain, plain);
          const { container_bytes, stream_bytes, entropy_bits, ...same } = written.result;
          assert.deepEqual(read.result, same);
          assert.equal(same.plain_bytes, plain.length);
          assert.equal(same.plain_sha256, sha256Hex(plain));
          assert.equal(container_bytes, written.container.length);
          assert.ok(stream_bytes <= container_bytes);
          assert.ok(entropy_bits >= 0);
          const frames = Math.ceil(plain.length / Math.max(1, choice.frameBytes - 3)) + 1;
          assert.ok(container_bytes <= plain.length + PREAMBLE_AND_END + frames * STORED_OVERHEAD);
        },
      ),
    );
  });

  test('a reader within eps', async () => {
    await fc.assert(
      fc.asyncProperty(plains, settings, fc.nat(), async (plain, choice, noiseSeed) => {
        const eps = Math.max(choice.eps.mantissa / 10 ** choice.eps.exponent, 5e-5);
        const wide = { ...choice, eps: eps === 5e-5 ? parseEps('5e-5') : choice.eps };
        const { container } = await compressBytes(plain, modelOf(), wide);
        const read = await decompressBytes(container, modelOf({ noise: eps, noiseSeed }));
        assert.deepEqual(read.plain, plain);
      }),
    );
  });

  test('a reader outside eps gives an error or the right bytes, never others', async () => {
    let errors = 0;
    for (let noiseSeed = 0; noiseSeed < 60; noiseSeed++) {
      const { container } = await compressBytes(TEXT, modelOf(), SETTINGS);
      const sink = new Sink();
      try {
        await decompress([container], sink.write, modelOf({ noise: 0.3, noiseSeed }));
        assert.deepEqual(sink.bytes(), Uint8Array.from(TEXT));
      } catch (error) {
        assert.ok(error instanceof DivergenceError, String(error));
        assert.match(error.message, /further than eps 5e-5 .*writer \(synthetic\/test\)/);
        assert.equal(sink.bytes().length, 0);
        errors += 1;
      }
    }
    assert.ok(errors > 30, `only ${errors} of 60 readers found out`);
  });

  test('equal containers, however the plain bytes arrive', async () => {
    const sinks = [new Sink(), new Sink()];
    await compress([TEXT], sinks[0].write, modelOf(), SETTINGS);
    await compress(
      Array.from(TEXT, (byte) => Uint8Array.of(byte)),
      sinks[1].write,
      modelOf(),
      SETTINGS,
    );
    assert.deepEqual(sinks[0].bytes(), sinks[1].bytes());
  });

  test('equal containers, whether known tokens are fed one by one or in chunks', async () => {
    for (const lanes of [1, 3]) {
      const choice = { ...SETTINGS, lanes };
      const chunked = await compressBytes(TEXT, modelOf(), choice);
      const single = await compressBytes(TEXT, modelOf({ exact: false }), choice);
      assert.deepEqual(single.container, chunked.container);
    }
  });

  test('progress counts tokens and ends with all of them', async () => {
    /** @type {number[][]} */
    const seen = [];
    const choice = { ...SETTINGS, frameBytes: 110 };
    const result = await compress(
      [TEXT],
      () => {},
      modelOf(),
      choice,
      (done, total) => seen.push([done, total]),
    );
    assert.deepEqual(seen.at(-1), [result.tokens, result.tokens]);
    assert.ok(seen.every(([done, total]) => done <= total));
  });

  test('what each token cost is told, and adds up to the entropy', async () => {
    const plain = Buffer.concat([TEXT, Buffer.from([0xff, 0xfe]), TEXT]);
    /** @type {import('../src/core/compressor/encode.mjs').FrameTokens[]} */
    const frames = [];
    const settings = {
      ...SETTINGS,
      lanes: 3,
      frameBytes: TEXT.length + 2,
      onTokens: (/** @type {any} */ frame) => frames.push(frame),
    };
    const { result } = await compressBytes(plain, modelOf(), settings);
    const count = frames.reduce((sum, { ids }) => sum + ids.length, 0);
    assert.ok(frames.length > 1);
    assert.equal(count, result.tokens);
    assert.ok(
      frames.every(({ ids, logProbs }) => logProbs.length === ids.length && logProbs.every((each) => each < 0)),
    );
    const bits = frames.reduce(
      (sum, { logProbs }) => sum - logProbs.reduce((all, each) => all + each, 0) / Math.LN2,
      0,
    );
    assert.ok(Math.abs(bits - result.entropy_bits) < 1e-9 * bits);
  });

  test('progress does not go back after a frame that is stored after all', async () => {
    // Text of which the source predicts nothing, then text that it predicts well. The vocabulary is so large that not even raw bits
    // are shorter than bytes.
    const model = syntheticModel({ favours: FAVOURS, vocabSize: 600 });
    const bad = Buffer.from('zyxwvutsrqponm'.repeat(10));
    const sink = new Sink();
    /** @type {number[]} */
    const seen = [];
    const choice = { ...SETTINGS, frameBytes: bad.length };
    const result = await compress([bad, TEXT], sink.write, model, choice, (done) => seen.push(done));
    assert.deepEqual((await kinds(sink.bytes())).slice(0, 2), ['stored', 'coded']);
    assert.deepEqual(
      seen,
      seen.map((_, i) => i + 1),
    );
    assert.ok(seen.length >= result.tokens + bad.length);
  });
});

suite('what is stored', () => {
  test('nothing: a preamble and an end', async () => {
    const { container, result } = await compressBytes(new Uint8Array(0), modelOf(), SETTINGS);
    assert.equal(result.tokens, 0);
    assert.equal(result.entropy_bits, 0);
    assert.deepEqual(await kinds(container), ['end']);
  });

  test('bytes without text', async () => {
    const { container, result } = await compressBytes(new Uint8Array(50).fill(0xff), modelOf(), SETTINGS);
    assert.deepEqual(await kinds(container), ['stored', 'end']);
    assert.equal(result.stream_bytes, 0);
  });

  test('text that the model makes no smaller', async () => {
    const { container } = await compressBytes(Buffer.from('a'), modelOf(), SETTINGS);
    assert.deepEqual(await kinds(container), ['stored', 'end']);
  });

  test('other text is coded', async () => {
    const { container } = await compressBytes(TEXT, modelOf(), { ...SETTINGS, frameBytes: 110 });
    assert.deepEqual(await kinds(container), ['coded', 'coded', 'coded', 'end']);
  });
});

suite('damage', () => {
  test('every flipped bit and every cut is found, and no wrong byte comes out', async () => {
    const plain = TEXT.subarray(0, 150);
    const { container } = await compressBytes(plain, modelOf(), { ...SETTINGS, frameBytes: 90 });
    for (let i = 0; i < container.length; i++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Uint8Array.from(container);
        flipped[i] ^= 1 << bit;
        await refuses(flipped, plain, `bit ${bit} of byte ${i}`);
      }
      await refuses(container.subarray(0, i), plain, `cut to ${i} bytes`);
    }
    await refuses(Buffer.concat([container, Uint8Array.of(0)]), plain, 'a byte more');
  });

  test('frames in another order, or missing, are found', async () => {
    const { container } = await compressBytes(TEXT, modelOf(), { ...SETTINGS, frameBytes: 110 });
    const reader = new ByteReader([container]);
    const preamble = await readPreamble(reader);
    const starts = [reader.offset];
    while ((await readFrame(reader, preamble)).kind !== 'end') starts.push(reader.offset);
    const [head, first, second] = starts.map((end, i) => container.subarray(starts[i - 1] ?? 0, end));
    const rest = container.subarray(starts[2]);
    await assert.rejects(decompressBytes(Buffer.concat([head, second, first, rest]), modelOf()), /missing, misplaced/);
    await assert.rejects(decompressBytes(Buffer.concat([head, first, rest]), modelOf()), FormatError);
  });

  test('streams and fields that a checksum vouches for, but no writer wrote, give an error and take their time only', async () => {
    const { container } = await compressBytes(TEXT, modelOf(), SETTINGS);
    const reader = new ByteReader([container]);
    const preamble = await readPreamble(reader);
    const head = container.subarray(0, reader.offset);
    const frame = await readFrame(reader, preamble);
    assert.ok(frame.kind === 'coded');
    const stream = fc.uint8Array({ minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          streams: fc.array(stream, { minLength: 1, maxLength: 4 }),
          cells: fc.integer({ min: 2, max: 4096 }),
          block: fc.integer({ min: 1, max: 4096 }),
        }),
        async (change) => {
          const hostile = Buffer.concat([head, writeCodedFrame({ ...frame, ...change }), writeEnd('00'.repeat(32))]);
          await refuses(hostile, TEXT, JSON.stringify(change));
        },
      ),
    );
  });

  /**
   * @param {Uint8Array} container
   * @param {Uint8Array} plain
   * @param {string} what
   */
  async function refuses(container, plain, what) {
    const sink = new Sink();
    await assert.rejects(decompress([container], sink.write, modelOf()), LlmzipError, what);
    const out = sink.bytes();
    assert.deepEqual(out, Uint8Array.from(plain.subarray(0, out.length)), `${what}: wrong bytes came out`);
  }
});

suite('another model', () => {
  /**
   * @param {string} what
   * @param {Partial<import('../src/core/model/source.mjs').LanguageModel>} change
   * @param {typeof LlmzipError} expected
   * @param {RegExp} message
   */
  const refuses = (what, change, expected, message) =>
    test(`of another ${what} is refused before it runs`, async () => {
      const { container } = await compressBytes(TEXT, modelOf(), SETTINGS);
      const other = { ...modelOf(), ...change };
      await assert.rejects(decompressBytes(container, other), (error) => {
        assert.ok(error instanceof expected);
        assert.match(error.message, message);
        return true;
      });
      assert.deepEqual(/** @type {any} */ (other.source).calls, []);
    });

  refuses('model hash', { modelSha256: 'cd'.repeat(32) }, IntegrityError, /(ab){32}.*(cd){32}/);
  refuses('tokenizer hash', { tokenizerSha256: 'cd'.repeat(32) }, IntegrityError, /(0c){32}.*(cd){32}/);
  refuses('vocabulary', { source: modelOf({ vocabSize: 99 }).source }, VocabularyError, /the graph's 99/);

  test('a logit that is not finite ends the work', async () => {
    const model = modelOf();
    model.source.feed = async () => new Float32Array(2 * model.source.vocabSize).fill(Number.NaN);
    await assert.rejects(compressBytes(TEXT, model, SETTINGS), ModelError);
  });
});

suite('exactness', () => {
  const AT_0 = { ...SETTINGS, eps: parseEps('0') };

  /**
   * @param {number} tokens
   * @param {number} lanes
   * @param {import('./support/synthetic.mjs').SyntheticOptions & { eps?: string }} options
   * @param {number[]} expected how many ids each pass is fed, over all lanes
   */
  const feeds = (tokens, lanes, { eps = '1e-6', ...options }, expected) =>
    test(`${tokens} tokens in ${lanes} lanes at eps ${eps} of a source ${JSON.stringify(options)}`, async () => {
      const model = modelOf(options);
      const policy = { startToken: 0, window: 512, overlap: 16 };
      const settings = { ...SETTINGS, eps: parseEps(eps), policy, lanes };
      await compressBytes(Buffer.from('a'.repeat(tokens)), model, settings);
      const passes = model.source.calls.filter((call) => call.startsWith('feed'));
      assert.deepEqual(
        passes.map((call) => call.split(' ').length - 1),
        expected,
      );
    });

  feeds(300, 1, { exact: false }, new Array(300).fill(1));
  feeds(300, 1, { exact: true }, [256, 44]);
  feeds(31, 2, { exact: false }, [...new Array(15).fill(2), 1]);
  feeds(31, 2, { exact: true }, [16, 15]);
  feeds(30, 1, { exact: false, planTolerance: 1e-3, eps: '1e-3' }, [30]);
  feeds(30, 1, { exact: false, planTolerance: 1e-3, eps: '9e-4' }, new Array(30).fill(1));

  test('is what a writer at eps 0 needs', async () => {
    const sink = new Sink();
    await assert.rejects(compress([TEXT], sink.write, modelOf({ exact: false }), AT_0), (error) => {
      assert.ok(error instanceof UnsupportedError);
      assert.match(error.message, /eps 0 relies on logits that are the same bits everywhere, but it was made so/);
      return true;
    });
    assert.equal(sink.bytes().length, 0);
    await compressBytes(TEXT, modelOf(), AT_0);
  });

  test('is what a reader at eps 0 needs, whatever is inside', async () => {
    for (const plain of [TEXT, Uint8Array.of(0xff), new Uint8Array(0)]) {
      const { container } = await compressBytes(plain, modelOf(), AT_0);
      const model = modelOf({ exact: false });
      await assert.rejects(decompressBytes(container, model), (error) => {
        assert.ok(error instanceof UnsupportedError);
        assert.match(error.hint, /variant exact/);
        return true;
      });
      assert.deepEqual(model.source.calls, []);
      assert.deepEqual((await decompressBytes(container, modelOf())).plain, Uint8Array.from(plain));
    }
  });
});

suite('settings', () => {
  for (const change of [
    { lanes: 0 },
    { lanes: 257 },
    { frameBytes: 0 },
    { frameBytes: 2 ** 24 + 1 },
    { policy: { ...POLICY, window: 1 } },
    { policy: { ...POLICY, startToken: 1000 } },
  ]) {
    test(`${JSON.stringify(change)} is refused`, () =>
      assert.rejects(compressBytes(TEXT, modelOf(), { ...SETTINGS, ...change }), UsageError));
  }
});

/** @param {Uint8Array} container */
async function kinds(container) {
  const reader = new ByteReader([container]);
  const preamble = await readPreamble(reader);
  const found = [];
  do found.push((await readFrame(reader, preamble)).kind);
  while (found.at(-1) !== 'end');
  return found;
}
