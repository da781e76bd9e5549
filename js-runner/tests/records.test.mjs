/** Which model a folder holds, held to the table that is for all three languages. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { findVariant } from '../src/core/model/manifest.mjs';
import { recordOf } from '../src/node/records.mjs';
import { readCases } from './support/cases.mjs';
import { temporaryFolder } from './support/model-folder.mjs';

suite('the variants of a folder are named by their files', () => {
  for (const { files, variants, default: chosen } of readCases('variants.json')) {
    test(files.join(', '), (context) => {
      const folder = temporaryFolder(context);
      mkdirSync(join(folder, 'onnx'));
      for (const file of files) writeFileSync(join(folder, 'onnx', file), '');
      const record = recordOf(folder);
      assert.deepEqual(
        record.variants.map(({ dtype }) => dtype),
        variants,
      );
      assert.equal(findVariant(record).dtype, chosen);
    });
  }
});
