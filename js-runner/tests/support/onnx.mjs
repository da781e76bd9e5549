/**
 * Writes small ONNX files, so that tests run real sessions on graphs of any signature.
 *
 * The graph that is made predicts from the last token alone: logits are a row of a table. Its caches grow as those of a decoder do,
 * and hold the ids that were fed.
 *
 * @module
 */

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** @typedef {number | string} Dimension */

/**
 * @typedef {object} GraphOptions
 * @property {number} [vocabSize]
 * @property {Dimension} [batch]
 * @property {'float32' | 'float16'} [type] of logits and caches
 * @property {'uint8'} [cacheType] of the cache, if not that of the logits
 * @property {boolean} [hasScale] whether there is a second cache, of float32, whose last dimension grows
 * @property {Record<string, string>} [metadata]
 * @property {Dimension[]} [cacheShape] of a cache after its batch dimension; the second one grows
 * @property {string[]} [ignoredInputs] integer [batch, sequence] inputs that nothing depends on
 * @property {(previous: number, id: number) => number} [logit]
 * @property {Dimension} [sequence]
 * @property {boolean} [hasPresent]
 * @property {string} [tableFile] a file that holds the table instead of the graph
 * @property {'int64' | 'int32'} [idsType]
 */

const FLOAT = 1;
const UINT8 = 2;
const INT32 = 6;
const INT64 = 7;
const FLOAT16 = 10;

/**
 * @param {GraphOptions} [options]
 * @returns {Uint8Array}
 */
export function makeGraph(options = {}) {
  return graphAndTable(options).graph;
}

/**
 * A graph and the content of its `tableFile`.
 *
 * @param {GraphOptions} [options]
 * @returns {{ graph: Uint8Array, table: Uint8Array }}
 */
export function graphAndTable({
  vocabSize = 8,
  batch = 'batch_size',
  type = 'float32',
  cacheType,
  hasScale = false,
  metadata = {},
  cacheShape = [1, 'past_sequence_length', 2],
  ignoredInputs = [],
  logit = (previous, id) => ((previous * 7 + id * 3) % 11) / 4,
  sequence = 'sequence_length',
  hasPresent = true,
  tableFile,
  idsType = 'int64',
} = {}) {
  const element = type === 'float32' ? FLOAT : FLOAT16;
  const cached = cacheType === 'uint8' ? UINT8 : element;
  const table = Float32Array.from({ length: vocabSize * vocabSize }, (_, i) =>
    logit(Math.floor(i / vocabSize), i % vocabSize),
  );
  const [heads, past, size] = cacheShape;
  const width = Number(size) || 2;
  const present = [batch, heads, typeof past === 'string' ? 'total_sequence_length' : past, size];
  const graph = message((g) => {
    for (const each of [
      node('Gather', ['table', 'input_ids'], ['wide']),
      node('Cast', ['wide'], ['logits'], { to: element }),
      node('Cast', ['input_ids'], ['ids'], { to: cached }),
      node('Unsqueeze', ['ids', 'axes'], ['ids4']),
      node('Concat', new Array(width).fill('ids4'), ['news'], { axis: 3 }),
      node('Concat', ['past_key_values.0.key', 'news'], [hasPresent ? 'present.0.key' : 'kept'], { axis: 2 }),
      ...(hasScale ? scaleNodes : []),
    ]) {
      field(g, 1, each);
    }
    text(g, 2, 'graph');
    const raw = new Uint8Array(table.buffer);
    field(g, 5, tensor('table', FLOAT, [vocabSize, vocabSize], raw, tableFile));
    field(g, 5, tensor('axes', INT64, [2], new Uint8Array(BigInt64Array.of(1n, 3n).buffer)));
    if (hasScale) field(g, 5, tensor('scale_axes', INT64, [2], new Uint8Array(BigInt64Array.of(1n, 2n).buffer)));
    for (const name of ['input_ids', ...ignoredInputs])
      field(g, 11, valueInfo(name, idsType === 'int64' ? INT64 : INT32, [batch, sequence]));
    field(g, 11, valueInfo('past_key_values.0.key', cached, [batch, ...cacheShape]));
    if (hasScale) field(g, 11, valueInfo('past_key_values.0.key_scale', FLOAT, [batch, 1, 1, 'past_sequence_length']));
    field(g, 12, valueInfo('logits', element, [batch, sequence, vocabSize]));
    field(g, 12, valueInfo(hasPresent ? 'present.0.key' : 'kept', cached, present));
    if (hasScale) field(g, 12, valueInfo('present.0.key_scale', FLOAT, [batch, 1, 1, 'total_sequence_length']));
  });
  const whole = message((model) => {
    model.tag(1, WireType.Varint).int64(8);
    field(model, 7, graph);
    field(
      model,
      8,
      message((opset) => opset.tag(2, WireType.Varint).int64(17)),
    );
    for (const [key, value] of Object.entries(metadata)) field(model, 14, metadataEntry(key, value));
  });
  return { graph: whole, table: new Uint8Array(table.buffer) };
}

/** The second cache: what was fed, as float32. */
const scaleNodes = [
  node('Cast', ['input_ids'], ['float_ids'], { to: FLOAT }),
  node('Unsqueeze', ['float_ids', 'scale_axes'], ['new_scale']),
  node('Concat', ['past_key_values.0.key_scale', 'new_scale'], ['present.0.key_scale'], { axis: 3 }),
];

/**
 * An entry of a model's metadata.
 *
 * @param {string} key
 * @param {string} value
 */
export function metadataEntry(key, value) {
  return message((entry) => {
    text(entry, 1, key);
    text(entry, 2, value);
  });
}

/**
 * @param {string} type
 * @param {string[]} inputs
 * @param {string[]} outputs
 * @param {Record<string, number>} [attributes]
 */
export function node(type, inputs, outputs, attributes = {}) {
  return message((n) => {
    for (const input of inputs) text(n, 1, input);
    for (const output of outputs) text(n, 2, output);
    text(n, 4, type);
    for (const [name, value] of Object.entries(attributes)) {
      field(
        n,
        5,
        message((a) => {
          text(a, 1, name);
          a.tag(3, WireType.Varint).int64(value);
          a.tag(20, WireType.Varint).int32(2);
        }),
      );
    }
  });
}

/**
 * @param {string} name
 * @param {number} type
 * @param {number[]} dims
 * @param {Uint8Array} raw
 * @param {string} [file] where the values are, if not here
 */
function tensor(name, type, dims, raw, file) {
  return message((t) => {
    for (const dim of dims) t.tag(1, WireType.Varint).int64(dim);
    t.tag(2, WireType.Varint).int32(type);
    text(t, 8, name);
    if (file === undefined) {
      field(t, 9, raw);
      return;
    }
    for (const [key, value] of Object.entries({ location: file, length: String(raw.length) })) {
      const entry = message((e) => {
        text(e, 1, key);
        text(e, 2, value);
      });
      field(t, 13, entry);
    }
    t.tag(14, WireType.Varint).int32(1);
  });
}

/**
 * @param {string} name
 * @param {number} type
 * @param {Dimension[]} shape
 */
function valueInfo(name, type, shape) {
  const dims = message((s) => {
    for (const dim of shape) {
      field(
        s,
        1,
        message((d) => (typeof dim === 'number' ? void d.tag(1, WireType.Varint).int64(dim) : text(d, 2, dim))),
      );
    }
  });
  const tensorType = message((t) => {
    t.tag(1, WireType.Varint).int32(type);
    field(t, 2, dims);
  });
  return message((v) => {
    text(v, 1, name);
    field(
      v,
      2,
      message((t) => field(t, 1, tensorType)),
    );
  });
}

/**
 * @param {(writer: BinaryWriter) => void} fill
 * @returns {Uint8Array}
 */
export function message(fill) {
  const writer = new BinaryWriter();
  fill(writer);
  return writer.finish();
}

/**
 * @param {BinaryWriter} writer
 * @param {number} number
 * @param {Uint8Array} bytes
 */
export function field(writer, number, bytes) {
  writer.tag(number, WireType.LengthDelimited).bytes(bytes);
}

/**
 * @param {BinaryWriter} writer
 * @param {number} number
 * @param {string} value
 */
export function text(writer, number, value) {
  writer.tag(number, WireType.LengthDelimited).string(value);
}
