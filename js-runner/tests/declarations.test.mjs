/** What a graph declares of its batch and sequence dimensions means what it means in every language. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ModelError } from '../src/core/errors.mjs';
import { readSignature } from '../src/core/model/signature.mjs';
import { readCases } from './support/cases.mjs';

const { tensors: NAMES, groups: GROUPS } = readCases('declarations.json');
const CONFIG = { vocab_size: 9, head_dim: 4, num_attention_heads: 2 };

/**
 * @param {string} letter
 * @param {string} symbol
 */
const dimension = (letter, symbol) => ({ n: symbol, a: '' })[letter] ?? Number(letter);

/**
 * A tensor as a word of the table says: a letter for its batch, one for its sequence.
 *
 * @param {string} name
 * @param {string} word
 */
function declared(name, word) {
  const batch = dimension(word[0], 'batch_size');
  if (name === 'attention_mask') {
    return { name, type: 'int64', shape: [batch, dimension(word[1], 'total_sequence_length')] };
  }
  if (name === 'logits') return { name, type: 'float32', shape: [batch, dimension(word[1], 'sequence_length'), 9] };
  if (name === 'input_ids' || name === 'position_ids') {
    return { name, type: 'int64', shape: [batch, dimension(word[1], 'sequence_length')] };
  }
  return { name, type: 'float32', shape: [batch, 2, dimension(word[1], 'past_sequence_length'), 4] };
}

suite('declarations', () => {
  for (const { expected, cases } of GROUPS) {
    test(JSON.stringify(expected), () => {
      for (const example of cases) {
        const words = example.split(' ');
        const tensors = NAMES.flatMap((/** @type {string} */ name, /** @type {number} */ i) =>
          words[i] === '--' ? [] : [declared(name, words[i])],
        );
        const isOutput = (/** @type {{ name: string }} */ { name }) => name === 'logits' || name.startsWith('present.');
        const outputs = tensors.filter(isOutput);
        const inputs = tensors.filter((/** @type {{ name: string }} */ tensor) => !isOutput(tensor));
        if (expected.refused) {
          assert.throws(() => readSignature(inputs, outputs, CONFIG), ModelError, example);
          continue;
        }
        const signature = readSignature(inputs, outputs, CONFIG);
        assert.deepEqual(signature.batchPolicy, expected.policy, example);
        assert.equal(signature.oneByOne, expected.length === 1, example);
      }
    });
  }
});
