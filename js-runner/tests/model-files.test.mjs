/** Weights in files beside the ONNX file: found, hashed and loaded as one model, or refused. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { WireType } from '@bufbuild/protobuf/wire';
import { IntegrityError, ModelError, SetupError, UnsupportedError } from '../src/core/errors.mjs';
import { MAX_DATA_FILES } from '../src/core/model/external.mjs';
import { readGraphFacts } from '../src/core/model/graph.mjs';
import { modelIdentity } from '../src/core/model/identity.mjs';
import { checkPlaces, readModelFiles as readFilesIn } from '../src/core/model/model-files.mjs';
import { DEFAULT_SETTINGS, FOLDER, loadModel } from '../src/node/loader.mjs';
import { temporaryFolder, writeModelFolder } from './support/model-folder.mjs';
import { field, message, metadataEntry, text } from './support/onnx.mjs';

const MODEL_FILE = 'onnx/model_q4.onnx';

/** @type {(path: string, expected?: string) => ReturnType<typeof readFilesIn>} */
const readModelFiles = (path, expected) => readFilesIn(FOLDER, path, expected);

/** @param {string | Uint8Array} content */
const hashOf = (content) => createHash('sha256').update(content).digest('hex');

/**
 * An ONNX file with an initializer at each of these places.
 *
 * @param {[string, string][][]} places
 * @param {(model: import('@bufbuild/protobuf/wire').BinaryWriter) => void} [more]
 */
const naming = (places, more = () => {}) =>
  message((model) => {
    field(
      model,
      7,
      message((graph) => {
        for (const place of places) field(graph, 5, external(place));
      }),
    );
    more(model);
  });

/** @param {[string, string][]} place */
const external = (place) =>
  message((tensor) => {
    for (const [key, value] of place) {
      const entry = message((e) => {
        text(e, 1, key);
        text(e, 2, value);
      });
      field(tensor, 13, entry);
    }
    tensor.tag(14, WireType.Varint).int32(1);
  });

suite('files of weights', () => {
  /**
   * A model folder whose graph has its table in the file `weights`.
   *
   * @param {import('node:test').TestContext} context
   */
  const split = (context) => {
    const { folder } = writeModelFolder(temporaryFolder(context), { graph: { tableFile: 'weights' } });
    const path = join(folder, MODEL_FILE);
    return { folder, path, weights: join(folder, 'onnx', 'weights') };
  };

  test('one hash covers all files, and the rows are those of one file', async (context) => {
    const { folder, path, weights } = split(context);
    const list = `files\n${hashOf(readFileSync(path))}\n${hashOf(readFileSync(weights))}  weights\n`;
    const whole = writeModelFolder(temporaryFolder(context), {});
    const rows = [];
    for (const [dir, hash] of [
      [folder, hashOf(list)],
      [whole.folder, hashOf(readFileSync(join(whole.folder, MODEL_FILE)))],
    ]) {
      const model = await loadModel(dir, MODEL_FILE, DEFAULT_SETTINGS, { model: hash });
      context.after(() => model.dispose());
      assert.equal(model.modelSha256, hash);
      rows.push(Array.from(await model.source.feed(Uint32Array.of(1, 2, 3), 3)));
    }
    assert.deepEqual(rows[0], rows[1]);
  });

  test('other files are refused', async (context) => {
    const { path, weights } = split(context);
    const { sha256 } = await readModelFiles(path);
    const bytes = readFileSync(weights);
    const changed = Uint8Array.from(bytes, (byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));
    for (const content of [changed, bytes.subarray(1), Buffer.alloc(0)]) {
      writeFileSync(weights, content);
      await assert.rejects(
        () => readModelFiles(path, sha256),
        (error) => error instanceof IntegrityError && error.message.includes(`weights ${hashOf(content)}`),
      );
    }
    await assert.rejects(() => readModelFiles(path), ModelError);
    rmSync(weights);
    await assert.rejects(() => readModelFiles(path, sha256), SetupError);
    writeFileSync(weights, bytes);
    // The hash of the ONNX file alone is not enough.
    await assert.rejects(() => readModelFiles(path, hashOf(readFileSync(path))), IntegrityError);
    assert.equal((await readModelFiles(path, sha256)).sha256, sha256);
  });

  test('a model that is one file has the hash of the file', async (context) => {
    const folder = temporaryFolder(context);
    for (const content of [naming([]), naming([[['location', '/a']]]), Buffer.from('location, but no model')]) {
      writeFileSync(join(folder, 'model.onnx'), content);
      const files = await readModelFiles(join(folder, 'model.onnx'), hashOf(content));
      assert.equal(files.data.size, 0);
    }
    assert.equal(modelIdentity('ab', new Map()), 'ab');
  });

  test('the order in a list is that of the names', () => {
    const list = 'files\n00\n01  B\n02  a\n03  b\n';
    const data = new Map(Object.entries({ b: '03', B: '01', a: '02' }));
    assert.equal(modelIdentity('00', data), hashOf(list));
  });
});

suite('places of weights', () => {
  test('the part of a file that is used', () => {
    /** @type {[string, string][][]} */
    const places = [
      [
        ['location', 'b'],
        ['offset', '64'],
        ['length', '8'],
      ],
      [
        ['location', 'a'],
        ['length', '5'],
        ['checksum', '00'],
      ],
      [
        ['location', 'b'],
        ['offset', '0'],
        ['length', '64'],
      ],
    ];
    const { dataFiles, hiddenData } = readGraphFacts(naming(places));
    assert.deepEqual({ dataFiles, hiddenData }, { dataFiles: { a: 5, b: 72 }, hiddenData: false });
  });

  const names = ['', '.', '..', 'a/b', '/a', '..\\a', 'C:a', 'a\nb', '\u00e4', '*/_ORT_MEM_ADDR_/*', 'a'.repeat(256)];
  const numbers = ['-1', '+1', ' 1', '1e3', '0x1', '\u0661', '1'.repeat(16)];
  /** @type {Record<string, string>} */
  const good = { location: 'a', length: '1' };
  /** @type {[string, string][][]} */
  const bad = [
    [],
    ...names.map((location) => Object.entries({ ...good, location })),
    ...[...numbers, ''].map((length) => Object.entries({ ...good, length })),
    ...numbers.map((offset) => Object.entries({ ...good, offset })),
    [['location', 'a']],
    [...Object.entries(good), ['location', 'a']],
    [...Object.entries(good), ['length', '1']],
    [...Object.entries(good), ['prepacked_0', '0;1']],
  ];
  for (const place of bad) {
    test(`${JSON.stringify(place)} is none`, () => {
      assert.throws(
        () => readGraphFacts(naming([place])),
        (error) => error instanceof ModelError && error.message.includes(' weight '),
      );
    });
  }

  test('too many files', () => {
    /** @type {[string, string][][]} */
    const places = Array.from({ length: MAX_DATA_FILES + 1 }, (_, i) => [
      ['location', `w${i}`],
      ['length', '1'],
    ]);
    assert.equal(Object.keys(readGraphFacts(naming(places.slice(1))).dataFiles).length, MAX_DATA_FILES);
    assert.throws(() => readGraphFacts(naming(places)), /too many files/);
  });

  test('an exact graph is one file', () => {
    const places = [Object.entries(good)];
    checkPlaces(readGraphFacts(naming(places)));
    const exact = naming(places, (model) => field(model, 14, metadataEntry('llmzip.exact', '1')));
    assert.throws(() => checkPlaces(readGraphFacts(exact)), UnsupportedError);
  });

  test('nothing but initializers lies in other files', () => {
    const constant = message((n) => {
      field(
        n,
        5,
        message((a) => field(a, 5, external([]))),
      );
    });
    const model = message((m) => {
      field(
        m,
        7,
        message((g) => field(g, 1, constant)),
      );
    });
    assert.throws(() => checkPlaces(readGraphFacts(model)), UnsupportedError);
  });
});
