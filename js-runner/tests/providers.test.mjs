/** The execution providers: the table that the languages share, and what is said of those that are not here. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { UnsupportedError } from '../src/core/errors.mjs';
import { SessionSource } from '../src/core/model/session.mjs';
import { readSignature } from '../src/core/model/signature.mjs';
import { DEFAULT_SETTINGS, loadModel } from '../src/node/loader.mjs';
import { Profile } from '../src/node/profile.mjs';
import { checkTookPart, PROVIDERS, unusableProvider } from '../src/node/providers.mjs';
import { openSession } from '../src/node/transformers.mjs';
import { readCases } from './support/cases.mjs';
import { TINY, temporaryFolder, withoutTiny, writeModelFolder } from './support/model-folder.mjs';

/** @param {string} message */
const unsupported = (message) => (/** @type {Error} */ error) => {
  assert.ok(error instanceof UnsupportedError, String(error));
  assert.ok(error.message.includes(message), error.message);
  return true;
};

const scratchFolders = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`llmzip-profile-${process.pid}-`));

suite('providers', () => {
  test('are those of every language', () => {
    const cases = readCases('providers.json').map((/** @type {{ name: string, onnxruntime: string }} */ each) => [
      each.name,
      each.onnxruntime,
    ]);
    assert.deepEqual(Object.entries(PROVIDERS), cases);
  });

  // transformers.js offers these on no system, or not on those where the tests are run.
  for (const name of ['tensorrt', 'dml', 'migraphx', 'openvino', 'qnn', 'xnnpack']) {
    const skip = name === 'dml' && process.platform === 'win32' ? 'DirectML is in the build' : false;
    test(`${name} is not in the build`, { skip }, async (context) => {
      const { folder } = writeModelFolder(temporaryFolder(context));
      await assert.rejects(
        loadModel(folder, 'onnx/model_q4.onnx', { ...DEFAULT_SETTINGS, provider: name }),
        unsupported(`the execution provider ${name} is not in this build of ONNX Runtime`),
      );
      assert.deepEqual(scratchFolders(), []);
    });
  }

  test('one that cannot be used is no error of the graph', () => {
    const error = unusableProvider('cuda', new Error('no libcuda'));
    assert.ok(unsupported('the execution provider cuda cannot be used here: no libcuda')(error));
  });

  test('one that took no part is no silent CPU', () => {
    checkTookPart('cuda', new Map([['CUDAExecutionProvider', 1]]));
    assert.throws(
      () => checkTookPart('cuda', new Map([['CPUExecutionProvider', 61]])),
      unsupported("gave none of the graph's 61 nodes to the execution provider cuda: it fell back to the CPU"),
    );
  });

  test('nodes are counted in a profile, which leaves nothing behind', { skip: withoutTiny }, async () => {
    const profile = new Profile();
    const bytes = readFileSync(join(TINY, 'onnx', 'model_q4.onnx'));
    const config = JSON.parse(readFileSync(join(TINY, 'config.json'), 'utf8'));
    const session = await openSession('onnx/model_q4.onnx', bytes, new Map(), config, DEFAULT_SETTINGS, profile);
    const signature = readSignature(session.inputs, session.outputs, config);
    await new SessionSource(session, signature, { exact: false, reason: '' }).feed(Uint32Array.of(0), 1);
    const nodes = session.endProfile();
    assert.deepEqual([...nodes.keys()], ['CPUExecutionProvider']);
    assert.ok((nodes.get('CPUExecutionProvider') ?? 0) > 10);
    checkTookPart('cpu', nodes);
    assert.deepEqual(scratchFolders(), []);
    await session.dispose();
  });
});
