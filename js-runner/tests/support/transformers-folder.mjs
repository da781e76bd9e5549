/**
 * Loads a model folder as users of transformers.js do, offline: `node transformers-folder.mjs FOLDER DTYPE IDS`, where FOLDER has the
 * layout that transformers.js looks for, DTYPE is a suffix that it knows (q4, q4f16) and IDS is JSON, a list of token ids.
 *
 * Owns the calls of the library, in a process of their own, for they change settings of the whole process. Prints JSON:
 * `{ rows, generated }`, the file with the logits of all ids (float32, [length][vocab]) and the ids that greedy search adds.
 */

import { writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AutoModelForCausalLM, env, LogLevel, Tensor } from '@huggingface/transformers';

const NEW_TOKENS = 8;

const [folder, dtype, json] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
env.logLevel = LogLevel.ERROR;
const model = await AutoModelForCausalLM.from_pretrained(basename(folder), {
  dtype: /** @type {'q4'} */ (dtype),
  device: 'cpu',
  local_files_only: true,
});
try {
  const ids = /** @type {number[]} */ (JSON.parse(json));
  const tensor = (/** @type {bigint[]} */ values) =>
    new Tensor('int64', BigInt64Array.from(values), [1, values.length]);
  const inputs = { input_ids: tensor(ids.map(BigInt)), attention_mask: tensor(ids.map(() => 1n)) };
  const { logits } = await model(inputs);
  const rows = join(dirname(folder), `${basename(folder)}-${dtype}.f32`);
  const { data } = /** @type {Tensor} */ (logits.to('float32'));
  writeFileSync(rows, /** @type {Float32Array} */ (data));
  const all = /** @type {Tensor} */ (
    await model.generate({ ...inputs, max_new_tokens: NEW_TOKENS, min_new_tokens: NEW_TOKENS, do_sample: false })
  );
  const generated = Array.from(/** @type {BigInt64Array} */ (all.data), Number).slice(ids.length);
  process.stdout.write(`${JSON.stringify({ rows, generated })}\n`);
} finally {
  await model.dispose();
}
