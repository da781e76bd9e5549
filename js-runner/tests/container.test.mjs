/** The container's bytes: every field, every limit, every way to be damaged. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { cutFrames } from '../src/core/compressor/frames.mjs';
import { ByteReader, ByteWriter } from '../src/core/container/bytes.mjs';
import { crc32 } from '../src/core/container/crc32.mjs';
import { epsValue, formatEps, isValidEps, parseEps } from '../src/core/container/eps.mjs';
import {
  fromHex,
  readFrame,
  readPreamble,
  toHex,
  writeCodedFrame,
  writeEnd,
  writePreamble,
  writeStoredFrame,
} from '../src/core/container/layout.mjs';
import { joinRuns, literalRun, splitRuns, textRun } from '../src/core/container/runs.mjs';
import { FormatError, UsageError } from '../src/core/errors.mjs';
import { laneLengths } from '../src/core/model/context.mjs';
import { inPieces } from './support/streams.mjs';
import { lossyTokenizer } from './support/synthetic.mjs';

/** @type {import('../src/core/container/layout.mjs').Preamble} */
const PREAMBLE = {
  modelSha256: '01'.repeat(32),
  tokenizerSha256: 'fe'.repeat(32),
  vocabSize: 1536,
  eps: { mantissa: 5, exponent: 5 },
  offsets: 32,
  startToken: 0,
  window: 512,
  overlap: 128,
  fingerprint: 'ort-1.30.0/x64',
};

/** @type {import('../src/core/container/layout.mjs').CodedFrame} */
const FRAME = {
  kind: 'coded',
  plainLength: 20,
  plainCrc32: 0xdeadbeef,
  tokenCount: 5,
  runs: [textRun(2), literalRun(3), textRun(3)],
  literals: Uint8Array.of(1, 2, 3),
  cells: 24,
  block: 64,
  streams: [Uint8Array.of(9, 9), Uint8Array.of(7)],
};

suite('integers', () => {
  test('varints come back, in their shortest form', async () => {
    await fc.assert(
      fc.asyncProperty(fc.maxSafeNat(), async (value) => {
        const writer = new ByteWriter();
        writer.varint(value);
        const bytes = writer.finish();
        assert.equal(bytes.length, Math.max(1, Math.ceil(value.toString(2).length / 7)));
        assert.equal(await readVarint(bytes), value);
      }),
    );
  });

  for (const [what, hex] of [
    ['a longer form', '8000'],
    ['a longer form of 1', '818000'],
    ['nine bytes', '808080808080808001'],
    ['2^53', '8080808080808010'],
    ['an end in the middle', '80'],
    ['nothing', ''],
  ]) {
    test(`a varint may not be ${what}`, () => assert.rejects(readVarint(fromHex(hex)), FormatError));
  }

  test('the largest varint is 2^53 - 1', async () => {
    assert.equal(await readVarint(fromHex('ffffffffffffff0f')), 2 ** 53 - 1);
  });

  test('crc32 is that of zlib', { skip: 'crc32' in zlib ? false : 'this Node has no zlib.crc32' }, () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.equal(crc32(bytes), zlib.crc32(bytes))));
  });

  test('u32 are little-endian and unsigned', async () => {
    const writer = new ByteWriter();
    writer.u32(0xfedcba98);
    assert.equal(toHex(writer.finish()), '98badcfe');
    assert.equal((await filledReader(writer.finish())).u32('it'), 0xfedcba98);
  });
});

suite('eps', () => {
  for (const [text, mantissa, exponent] of /** @type {const} */ ([
    ['0', 0, 0],
    ['0.0', 0, 0],
    ['5e-5', 5, 5],
    ['0.00005', 5, 5],
    ['50e-6', 5, 5],
    ['2e-2', 2, 2],
    ['0.02', 2, 2],
    ['255e-12', 255, 12],
    ['1e-1', 1, 1],
    ['0.25', 25, 2],
  ])) {
    test(`${text} is ${mantissa} / 10^${exponent}`, () => {
      assert.deepEqual(parseEps(text), { mantissa, exponent });
      assert.equal(epsValue(parseEps(text)), Number(text));
      assert.deepEqual(parseEps(formatEps(parseEps(text))), parseEps(text));
    });
  }

  for (const text of [
    '',
    '-1e-5',
    '1',
    '1e0',
    '10e-1',
    '256e-5',
    '1e-13',
    'NaN',
    '1e-5 ',
    '0x1',
    '5e-',
    '.5',
    '1e999',
  ]) {
    test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parseEps(text), UsageError));
  }

  test('has one form', () => {
    assert.ok(!isValidEps({ mantissa: 0, exponent: 1 }));
    assert.ok(!isValidEps({ mantissa: 10, exponent: 3 }));
    assert.ok(!isValidEps({ mantissa: 1, exponent: 0 }));
    assert.ok(!isValidEps({ mantissa: 100, exponent: 2 }));
    assert.ok(isValidEps({ mantissa: 99, exponent: 2 }));
  });
});

suite('preamble', () => {
  test('comes back', async () => {
    assert.deepEqual(await readBack(writePreamble(PREAMBLE)), PREAMBLE);
  });

  /**
   * @param {string} what
   * @param {Partial<import('../src/core/container/layout.mjs').Preamble>} change
   * @param {RegExp} message
   */
  const refuses = (what, change, message) =>
    test(`refuses ${what}`, () =>
      assert.rejects(readBack(writePreamble({ ...PREAMBLE, ...change })), (error) => {
        assert.ok(error instanceof FormatError);
        assert.match(error.message, message);
        return true;
      }));

  refuses('a vocabulary of 1', { vocabSize: 1 }, /the vocabulary size is 1/);
  refuses('a vocabulary above 2^20', { vocabSize: 2 ** 20 + 1 }, /the vocabulary size/);
  refuses('no offsets', { offsets: 0 }, /offsets is 0/);
  refuses('65 offsets', { offsets: 65 }, /offsets is 65/);
  refuses('an eps of 1', { eps: { mantissa: 1, exponent: 0 } }, /eps is/);
  refuses('a start token outside the vocabulary', { startToken: 1536 }, /the start token is 1536/);
  refuses('a window of 1', { window: 1, overlap: 0 }, /window is 1/);
  refuses('a window above 2^20', { window: 2 ** 20 + 1 }, /window/);
  refuses('an overlap as long as the window', { overlap: 512 }, /overlap is 512/);
  refuses('a fingerprint with a space', { fingerprint: 'a b' }, /printable/);
  refuses('a fingerprint of 33 bytes', { fingerprint: 'x'.repeat(33) }, /fingerprint is 33/);

  test('refuses another kind of file, whatever its length', async () => {
    for (const bytes of [new Uint8Array(0), Buffer.from('PK'), Buffer.from('hello, this is no container'.repeat(20))]) {
      await assert.rejects(readBack(bytes), FormatError);
    }
  });

  test('refuses another version', async () => {
    const bytes = writePreamble(PREAMBLE).slice();
    bytes[4] = 2;
    await assert.rejects(readBack(bytes), /version 2/);
  });

  test('refuses every flipped bit and every cut', async () => {
    await refusesEveryDamage(writePreamble(PREAMBLE), (reader) => readPreamble(reader));
  });

  /** @param {Uint8Array} bytes */
  async function readBack(bytes) {
    return readPreamble(new ByteReader(inPieces(bytes, 3)));
  }
});

suite('frames', () => {
  test('a coded frame comes back', async () => {
    assert.deepEqual(await readBack(writeCodedFrame(FRAME)), FRAME);
  });

  test('a frame that is one text run lists no runs', async () => {
    const bare = { ...FRAME, runs: [textRun(5)], literals: new Uint8Array(0) };
    assert.equal(writeCodedFrame(bare).length, writeCodedFrame(FRAME).length - 6);
    assert.deepEqual(await readBack(writeCodedFrame(bare)), bare);
  });

  test('a stored frame comes back', async () => {
    const plain = Uint8Array.of(0, 255, 7);
    assert.deepEqual(await readBack(writeStoredFrame(plain)), { kind: 'stored', plain });
  });

  test('the end comes back, and nothing may follow it', async () => {
    const end = writeEnd('5a'.repeat(32));
    assert.deepEqual(await readBack(end), { kind: 'end', plainSha256: '5a'.repeat(32) });
    await assert.rejects(readBack(Buffer.concat([end, Uint8Array.of(0)])), /follows the end/);
  });

  test('an unknown kind is refused', () => assert.rejects(readBack(Uint8Array.of(3, 0, 0)), /unknown kind 3/));

  /**
   * @param {string} what
   * @param {Partial<import('../src/core/container/layout.mjs').CodedFrame>} change
   * @param {RegExp} message
   */
  const refuses = (what, change, message) =>
    test(`refuses ${what}`, () =>
      assert.rejects(readBack(writeCodedFrame({ ...FRAME, ...change })), (error) => {
        assert.ok(error instanceof FormatError);
        assert.match(error.message, message);
        return true;
      }));

  refuses('no plain bytes', { plainLength: 0 }, /plain length is 0/);
  refuses('more than 16 MiB', { plainLength: 2 ** 24 + 1 }, /plain length/);
  refuses('no tokens', { tokenCount: 0 }, /token count is 0/);
  refuses('more tokens than bytes', { tokenCount: 21 }, /token count is 21/);
  refuses('an empty run', { runs: [textRun(5), literalRun(0)] }, /a run is 1/);
  refuses('too few tokens in the runs', { runs: [textRun(4), literalRun(3)] }, /hold 4 tokens/);
  refuses('too many tokens in the runs', { runs: [textRun(6)] }, /hold more than/);
  refuses('too many literals', { runs: [textRun(5), literalRun(21)] }, /hold more than/);
  refuses('1 cell', { cells: 1 }, /cells is 1/);
  refuses('4097 cells', { cells: 4097 }, /cells is 4097/);
  refuses('no block', { block: 0 }, /block length is 0/);
  refuses('a block of 4097', { block: 4097 }, /block length is 4097/);
  refuses('no lanes', { streams: [] }, /number of lanes is 0/);
  refuses('more lanes than tokens', { streams: new Array(6).fill(Uint8Array.of(1)) }, /number of lanes is 6/);
  refuses('an empty stream', { streams: [Uint8Array.of(1), new Uint8Array(0)] }, /stream length is 0/);
  // 8 + 2 * 11 * 5 tokens + 2 * 32 * 1 block
  refuses(
    'a stream that no writer makes',
    { streams: [new Uint8Array(183)] },
    /stream length is 183, it must be 1 to 182/,
  );

  test('refuses 257 lanes', async () => {
    const many = { ...FRAME, plainLength: 300, tokenCount: 300, runs: [textRun(300)], literals: new Uint8Array(0) };
    await assert.rejects(
      readBack(writeCodedFrame({ ...many, streams: new Array(257).fill(Uint8Array.of(1)) })),
      /number of lanes/,
    );
    const most = { ...many, streams: new Array(256).fill(Uint8Array.of(1)) };
    assert.deepEqual(await readBack(writeCodedFrame(most)), most);
  });

  test('refuse every flipped bit and every cut', async () => {
    await refusesEveryDamage(writeCodedFrame(FRAME), (reader) => readFrame(reader, PREAMBLE));
    await refusesEveryDamage(writeStoredFrame(Uint8Array.of(5, 6)), (reader) => readFrame(reader, PREAMBLE));
  });

  test('allocate nothing that is only claimed', async () => {
    const writer = new ByteWriter();
    writer.u8(2);
    writer.varint(2 ** 24);
    writer.u32(0);
    writer.crc32();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 20; i++) await assert.rejects(readBack(writer.finish()), /ends after/);
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 23);
  });

  /** @param {Uint8Array} bytes */
  async function readBack(bytes) {
    return readFrame(new ByteReader(inPieces(bytes, 3)), PREAMBLE);
  }
});

suite('lanes', () => {
  test('are contiguous, and the first ones have one token more', () => {
    assert.deepEqual(laneLengths(11, 3), [4, 4, 3]);
    assert.deepEqual(laneLengths(3, 3), [1, 1, 1]);
  });
});

suite('cuts', () => {
  /**
   * @param {string} what
   * @param {Uint8Array} plain
   * @param {number} frameBytes
   * @param {number[]} lengths
   */
  const check = (what, plain, frameBytes, lengths) =>
    test(what, async () => {
      const frames = [];
      for await (const frame of cutFrames(inPieces(plain, 4), frameBytes)) frames.push(frame);
      assert.deepEqual(
        frames.map((frame) => frame.length),
        lengths,
      );
      assert.deepEqual(Uint8Array.from(Buffer.concat(frames)), Uint8Array.from(plain));
    });

  check('nothing is no frame', new Uint8Array(0), 4, []);
  check('a whole number of frames', Buffer.from('abcdefgh'), 4, [4, 4]);
  check('the last frame may be shorter', Buffer.from('abcdefghi'), 4, [4, 4, 1]);
  check('a cut goes back to the start of a character', Buffer.from('abc😀😀'), 4, [3, 4, 4]);
  check('by 1 byte', Buffer.from('abcédef'), 4, [3, 4, 1]);
  check('by 3 bytes', Buffer.from('a😀xyz'), 4, [1, 4, 3]);
  check('not by 4 bytes', Buffer.from('aa808080808080', 'hex'), 5, [5, 2]);
  check('and never to an empty frame', Buffer.from('😀😀'), 2, [2, 2, 2, 2]);
  check('frames of 1 byte', Buffer.from('é1'), 1, [1, 1, 1]);
});

suite('runs', () => {
  /**
   * @param {string} what
   * @param {Uint8Array} plain
   * @param {number[]} runs
   */
  const check = (what, plain, runs) =>
    test(what, () => {
      const split = splitRuns(plain, lossyTokenizer);
      assert.deepEqual(split.runs, runs);
      assert.deepEqual(join(split, plain.length), Uint8Array.from(plain));
    });

  check('nothing', new Uint8Array(0), []);
  check('text alone', Buffer.from('the ab'), [textRun(3)]);
  check('bytes that are no UTF-8 are one literal', Buffer.from('6180ff62', 'hex'), [
    textRun(1),
    literalRun(2),
    textRun(1),
  ]);
  check('a character without a token is literal', Buffer.from('aZb'), [textRun(1), literalRun(1), textRun(1)]);
  check('its bytes join those beside it', Buffer.concat([Buffer.from('Ü'), Uint8Array.of(0x80)]), [literalRun(3)]);
  check('text runs that were cut stay apart', Buffer.from('abcdefgZ'), [
    textRun(4),
    textRun(2),
    textRun(1),
    literalRun(1),
  ]);
  check('a character outside the BMP is never cut', Buffer.from('😀😀😀Z'), [textRun(2), textRun(1), literalRun(1)]);
  check('an overlong form', Buffer.from('c0af', 'hex'), [literalRun(2)]);
  check('a surrogate', Buffer.from('eda080', 'hex'), [literalRun(3)]);
  check('a value above U+10FFFF', Buffer.from('f4908080', 'hex'), [literalRun(4)]);
  check('a sequence that is cut off', Buffer.from('61f09f98', 'hex'), [textRun(1), literalRun(3)]);
  check('a byte order mark', Buffer.from('efbbbf61', 'hex'), [literalRun(3), textRun(1)]);

  test('any bytes come back', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const plain = Uint8Array.from(Buffer.concat(pieces));
        const split = splitRuns(plain, lossyTokenizer);
        assert.deepEqual(join(split, plain.length), plain);
        for (const [i, run] of split.runs.entries()) {
          assert.ok(run >= 2);
          assert.ok(!(run % 2 === 1 && split.runs[i + 1] % 2 === 1), 'adjacent literals are merged');
        }
      }),
    );
  });

  test('joining stops soon after the limit', () => {
    const ids = new Uint32Array(1000);
    const runs = new Array(1000).fill(textRun(1));
    assert.ok(joinRuns(runs, ids, new Uint8Array(0), lossyTokenizer, 10).length < 20);
  });

  /**
   * @param {import('../src/core/container/runs.mjs').SplitRuns} split
   * @param {number} limit
   */
  function join({ runs, ids, literals }, limit) {
    return joinRuns(runs, Uint32Array.from(ids), literals, lossyTokenizer, limit);
  }
});

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<ByteReader>}
 */
async function filledReader(bytes) {
  const reader = new ByteReader([bytes]);
  await reader.fill(bytes.length);
  return reader;
}

/** @param {Uint8Array} bytes */
async function readVarint(bytes) {
  return (await filledReader(bytes)).varint('it', 0, Number.MAX_SAFE_INTEGER);
}

/**
 * @param {Uint8Array} bytes
 * @param {(reader: ByteReader) => Promise<unknown>} read
 */
async function refusesEveryDamage(bytes, read) {
  for (let i = 0; i < bytes.length; i++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = Uint8Array.from(bytes);
      flipped[i] ^= 1 << bit;
      await assert.rejects(read(new ByteReader([flipped])), FormatError, `bit ${bit} of byte ${i}`);
    }
    await assert.rejects(read(new ByteReader([bytes.subarray(0, i)])), FormatError, `cut to ${i} bytes`);
  }
}
