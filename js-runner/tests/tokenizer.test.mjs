/** Text to ids: what the original tokenizer does, on text that JavaScript's own classes of characters would read otherwise. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { joinRuns, splitRuns } from '../src/core/container/runs.mjs';
import { ModelError, UsageError } from '../src/core/errors.mjs';
import { alignTokenizer, checkIds, tokenIds, wrapTokenizer } from '../src/core/model/tokenizer.mjs';
import { loadTokenizer } from '../src/node/loader.mjs';
import { TINY, TOKENIZER, withoutTiny } from './support/model-folder.mjs';

const SMOLLM2 = fileURLToPath(new URL('../../../shared/smollm2', import.meta.url));

/**
 * A tokenizer with this pre-tokenizer and these merges over all bytes; gives the tokens of a text.
 *
 * @param {object} preTokenizer
 * @param {[string, string][]} merges
 * @param {string[]} [missing] symbols that the vocabulary lacks
 */
async function tokenizerOf(preTokenizer, merges, missing = []) {
  let next = 256;
  const symbols = Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode((byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad) ? byte : next++),
  ).filter((symbol) => !missing.includes(symbol));
  const tokens = [...symbols, ...merges.map((pair) => pair.join(''))];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const json = { ...TOKENIZER, pre_tokenizer: preTokenizer, model: { ...TOKENIZER.model, vocab, merges } };
  const tokenizer = await loadTokenizer('tokenizer.json', Buffer.from(JSON.stringify(json)));
  return (/** @type {string} */ text) => tokenizer.encode(text).map((id) => tokens[id]);
}

suite('pre-tokenizers', () => {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const digits = { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] };

  test('a digit is any number of Unicode', async () => {
    // U+0663 and U+0664 are D9 A3 and D9 A4; they may merge only where they are not split.
    /** @type {[string, string][]} */
    const merges = [
      ['Ù', '£'],
      ['Ù', '¤'],
      ['Ù£', 'Ù¤'],
    ];
    const whole = await tokenizerOf(byteLevel, merges);
    const single = await tokenizerOf(digits, merges);
    assert.deepEqual(whole('٣٤'), ['Ù£Ù¤']);
    assert.deepEqual(single('٣٤'), ['Ù£', 'Ù¤']);
  });

  test('a space is any white space of Unicode, and a byte order mark is none', async () => {
    // A mark joins the letters' neighbours that are neither space, letter nor number: here the full stop.
    const mark = await tokenizerOf(byteLevel, [
      ['»', '¿'],
      ['ï', '»¿'],
      ['ï»¿', '.'],
    ]);
    assert.deepEqual(mark('\ufeff.'), ['ï»¿.']);
    // U+0085 is C2 85; as white space it does not join the full stop.
    const nextLine = await tokenizerOf(byteLevel, [
      ['Â', 'ħ'],
      ['Âħ', '.'],
    ]);
    assert.deepEqual(nextLine('\u0085.'), ['Âħ', '.']);
  });

  test('a byte without a token is dropped before its neighbours merge', async () => {
    const encode = await tokenizerOf(byteLevel, [['?', '.']], ['Ĕ']);
    assert.deepEqual(encode('?\u0014.'), ['?.']);
  });
});

suite('ids', () => {
  test('are those of the vocabulary and of added tokens', () => {
    assert.deepEqual([...tokenIds(TOKENIZER)], [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.ok(tokenIds({ ...TOKENIZER, added_tokens: [{ id: 20, content: '<|end|>' }] }).has(20));
    for (const model of [{}, { vocab: { a: -1 } }, { vocab: { a: 'x' } }]) {
      assert.throws(() => tokenIds({ model }), ModelError);
    }
  });

  test('without a token stand for nothing', async () => {
    const json = { ...TOKENIZER, added_tokens: [{ id: 20, content: '<|end|>', special: true, normalized: false }] };
    const tokenizer = await loadTokenizer('tokenizer.json', Buffer.from(JSON.stringify(json)));
    assert.equal(tokenizer.size, 21);
    assert.ok(tokenizer.has(0) && tokenizer.has(20) && !tokenizer.has(8) && !tokenizer.has(21));
    assert.equal(tokenizer.decode([0, 8, 20, 21, 1]), 'a<|end|>b');
  });

  test('from outside are held to the vocabulary', () => {
    checkIds([0, 7], 8);
    for (const wrong of [8, -1, 0.5, Number.NaN]) assert.throws(() => checkIds([1, wrong], 8), UsageError);
  });

  test('none are the empty text', () => {
    const tokenizer = wrapTokenizer({ encode: () => [], decode: () => assert.fail('is not asked') }, new Set([0]));
    assert.equal(tokenizer.decode([]), '');
  });

  test('parts that are left out are none', async () => {
    const { model, pre_tokenizer } = TOKENIZER;
    const tokenizer = await loadTokenizer('tokenizer.json', Buffer.from(JSON.stringify({ pre_tokenizer, model })));
    assert.deepEqual(tokenizer.encode('ab f'), [0, 1, 6, 5]);
    const bare = await loadTokenizer('tokenizer.json', Buffer.from(JSON.stringify({ model })));
    assert.deepEqual(bare.encode('fade'), [5, 0, 3, 4]);
  });

  test('alignment leaves alone what needs none', () => {
    assert.equal(alignTokenizer({ pre_tokenizer: null, model: {} }).pre_tokenizer, null);
    const split = { type: 'Split', pattern: { Regex: '\\d' }, behavior: 'Isolated', invert: false };
    assert.deepEqual(alignTokenizer({ pre_tokenizer: split, model: {} }).pre_tokenizer, split);
  });
});

const AWKWARD = [
  '',
  ' ',
  'a  b\t\tc\r\n\r\nd',
  '\ufeffmark first',
  'NUL \0 and DEL \x7f',
  '½ ٣٤ Ⅷ ① 𝟘𝟙',
  'e\u0301 é 한국어 日本語 العربية עברית हिन्दी',
  '👩‍👩‍👧‍👦 🇩🇪 😀😀',
  "it's we'LL they've 'd",
  '<|im_start|>user\n<|im_end|> <|endoftext|>',
  'x'.repeat(3000),
  '7'.repeat(300),
  '\u2028\u2029\u0085\u00a0\u3000',
];

suite('tiny model', { skip: withoutTiny }, () => {
  test('gives back any text: it has tokens for all bytes', async () => {
    const tokenizer = await tokenizerIn(TINY);
    for (const text of AWKWARD) assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    assert.deepEqual(tokenizer.encode('<|endoftext|>'), [0]);
  });
});

suite('SmolLM2', {
  skip: existsSync(SMOLLM2) ? false : 'the tokenizer of SmolLM2 is not beside the repository',
}, () => {
  test('1 to 1000 are 3892 tokens', async () => {
    const tokenizer = await tokenizerIn(SMOLLM2);
    assert.equal(tokenizer.size, 49152);
    const text = Array.from({ length: 1000 }, (_, i) => i + 1).join('\n');
    const ids = tokenizer.encode(text);
    assert.equal(ids.length, 3892);
    assert.equal(tokenizer.decode(ids), text);
  });

  test('what it has no token for travels as bytes', async () => {
    const tokenizer = await tokenizerIn(SMOLLM2);
    const plain = Buffer.from('?\u0014. and so on \u0001\u0002 end', 'utf8');
    const { runs, ids, literals } = splitRuns(plain, tokenizer);
    assert.ok(literals.length > 0 && literals.length < plain.length);
    assert.deepEqual(Buffer.from(joinRuns(runs, Uint32Array.from(ids), literals, tokenizer, plain.length)), plain);
  });
});

/** @param {string} folder */
function tokenizerIn(folder) {
  const path = join(folder, 'tokenizer.json');
  return loadTokenizer(path, readFileSync(path));
}
