//! Owns small decoder graphs whose logits can be computed by hand, in every form of declaration that a driver must follow: built
//! byte by byte, so that no file and no exporter is needed.

use crate::model::graph::wire::{bytes, integer};

/// `V` of these graphs.
pub(crate) const VOCAB_SIZE: usize = 7;
const HEADS: usize = 2;
const HEAD_DIM: usize = 3;

/// What a graph declares.
#[derive(Clone, Debug)]
pub(crate) struct Declarations {
    /// The type of ids, mask and positions.
    pub index: &'static str,
    /// The type of the cache.
    pub cache: &'static str,
    /// The type of the logits.
    pub logits: &'static str,
    /// Dimension 0 of the inputs: a number, a name, or nothing for one without a name.
    pub batch: &'static str,
    /// Dimension 0 of the outputs.
    pub output_batch: &'static str,
    /// Dimension 1 of the ids.
    pub length: &'static str,
    /// The cache's heads.
    pub heads: &'static str,
    /// The cache's past.
    pub past: &'static str,
    /// The width of a head in the cache.
    pub head_dim: &'static str,
    /// The dimension of the cache that grows, 2 or 3.
    pub past_axis: usize,
    /// Whether there is an attention mask.
    pub mask: bool,
    /// Whether there are position ids.
    pub positions: bool,
    /// The last dimension of the logits.
    pub vocabulary: &'static str,
    /// An input that nobody knows.
    pub stranger: bool,
    /// The version of the rules of exactness that the graph says it keeps.
    pub exact: Option<&'static str>,
}

impl Default for Declarations {
    fn default() -> Self {
        Self {
            index: "int64",
            cache: "float32",
            logits: "float32",
            batch: "batch_size",
            output_batch: "batch_size",
            length: "sequence_length",
            heads: "2",
            past: "past_sequence_length",
            head_dim: "3",
            past_axis: 2,
            mask: true,
            positions: true,
            vocabulary: "7",
            stranger: false,
            exact: None,
        }
    }
}

/// The logits after the last of `ids`, which a lane was fed since it was empty. Small integers, exact in every type.
pub(crate) fn expected_row(declarations: &Declarations, ids: &[u32]) -> Vec<f32> {
    let past = ids
        .iter()
        .map(|&id| (0..HEADS * HEAD_DIM).map(|k| entry(id as usize, k)).sum::<u8>());
    let past = past.map(f32::from).sum::<f32>();
    let position = if declarations.positions {
        ids.len() as f32 - 1.0
    } else {
        0.0
    };
    let last = ids[ids.len() - 1] as usize;
    (0..VOCAB_SIZE)
        .map(|v| f32::from(own_logit(last, v)) + past + position)
        .collect()
}

/// What an id leaves in the cache.
fn entry(id: usize, k: usize) -> u8 {
    ((id + 2 * k) % 5) as u8
}

/// What an id adds to the logits after itself.
fn own_logit(id: usize, v: usize) -> u8 {
    ((7 * id + 3 * v) % 11) as u8
}

/// The bytes of the ONNX file.
pub(crate) fn onnx(declarations: &Declarations) -> Vec<u8> {
    let d = declarations;
    let (to_cache, minor) = if d.past_axis == 2 {
        ([0, 2, 1, 3], 3)
    } else {
        ([0, 2, 3, 1], 2)
    };
    let mut nodes = vec![
        node("Gather", &["entries", "input_ids"], "entry", &[]),
        node("Reshape", &["entry", "heads_shape"], "entry_heads", &[]),
        node("Transpose", &["entry_heads"], "new", &[ints("perm", &to_cache)]),
        node(
            "Concat",
            &["past_key_values.0.key", "new"],
            "present.0.key",
            &[int("axis", d.past_axis as u64)],
        ),
        node(
            "Cast",
            &["present.0.key"],
            "present_float",
            &[int("to", code("float32"))],
        ),
        node(
            "ReduceSum",
            &["present_float", if minor == 3 { "axes_1_3" } else { "axes_1_2" }],
            "by_position",
            &[int("keepdims", 0)],
        ),
    ];
    let mut sums = "by_position";
    if d.mask {
        nodes.push(node(
            "Cast",
            &["attention_mask"],
            "mask_float",
            &[int("to", code("float32"))],
        ));
        nodes.push(node("Mul", &[sums, "mask_float"], "masked", &[]));
        sums = "masked";
    }
    nodes.extend([
        // The sums up to each position. There is an op for it, but not among those of exact graphs.
        node("Shape", &[sums], "sums_shape", &[]),
        node("Gather", &["sums_shape", "one"], "total", &[]),
        node("Range", &["zero", "total", "one"], "columns", &[]),
        node("Unsqueeze", &["columns", "one_1d"], "rows", &[]),
        node("LessOrEqual", &["columns", "rows"], "is_before", &[]),
        node("Unsqueeze", &[sums, "one_1d"], "each_row", &[]),
        node("Where", &["is_before", "each_row", "zero_float"], "before", &[]),
        node("ReduceSum", &["before", "two_1d"], "running", &[int("keepdims", 0)]),
        node("Shape", &["input_ids"], "ids_shape", &[]),
        node("Gather", &["ids_shape", "one_1d"], "length", &[]),
        node("Neg", &["length"], "start", &[]),
        node("Slice", &["running", "start", "far", "one_1d"], "of_new", &[]),
        node("Unsqueeze", &["of_new", "two_1d"], "past_term", &[]),
        node("Gather", &["own_logits", "input_ids"], "own", &[]),
        node("Add", &["own", "past_term"], "sum", &[]),
    ]);
    let mut sum = "sum";
    if d.positions {
        nodes.push(node(
            "Cast",
            &["position_ids"],
            "position_float",
            &[int("to", code("float32"))],
        ));
        nodes.push(node("Unsqueeze", &["position_float", "two_1d"], "position_term", &[]));
        nodes.push(node("Add", &[sum, "position_term"], "with_position", &[]));
        sum = "with_position";
    }
    nodes.push(node("Cast", &[sum], "logits", &[int("to", code(d.logits))]));

    let entries = (0..VOCAB_SIZE).flat_map(|id| (0..HEADS * HEAD_DIM).map(move |k| entry(id, k)));
    let own = (0..VOCAB_SIZE).flat_map(|id| (0..VOCAB_SIZE).map(move |v| own_logit(id, v)));
    let constants = [
        tensor(
            "entries",
            d.cache,
            &[VOCAB_SIZE, HEADS * HEAD_DIM],
            entries.map(i64::from),
        ),
        tensor("own_logits", "float32", &[VOCAB_SIZE, VOCAB_SIZE], own.map(i64::from)),
        tensor(
            "heads_shape",
            "int64",
            &[4],
            [0, 0, HEADS as i64, HEAD_DIM as i64].into_iter(),
        ),
        tensor("axes_1_3", "int64", &[2], [1, 3].into_iter()),
        tensor("axes_1_2", "int64", &[2], [1, 2].into_iter()),
        tensor("zero", "int64", &[], [0].into_iter()),
        tensor("zero_float", "float32", &[], [0].into_iter()),
        tensor("one", "int64", &[], [1].into_iter()),
        tensor("one_1d", "int64", &[1], [1].into_iter()),
        tensor("two_1d", "int64", &[1], [2].into_iter()),
        tensor("far", "int64", &[1], [1 << 40].into_iter()),
    ];
    let cache = |batch, past| match d.past_axis {
        2 => [batch, d.heads, past, d.head_dim],
        _ => [batch, d.heads, d.head_dim, past],
    };
    let mut inputs = vec![value("input_ids", d.index, &[d.batch, d.length])];
    if d.mask {
        inputs.push(value("attention_mask", d.index, &[d.batch, "total"]));
    }
    if d.positions {
        inputs.push(value("position_ids", d.index, &[d.batch, d.length]));
    }
    inputs.push(value("past_key_values.0.key", d.cache, &cache(d.batch, d.past)));
    if d.stranger {
        inputs.push(value("use_cache_branch", "int64", &[d.batch]));
    }
    let outputs = [
        value("logits", d.logits, &[d.output_batch, d.length, d.vocabulary]),
        value("sum", "float32", &[d.output_batch, d.length, d.vocabulary]),
        value("present.0.key", d.cache, &cache(d.output_batch, "total")),
    ];
    let mut graph = nodes.iter().flat_map(|node| bytes(1, node)).collect::<Vec<_>>();
    graph.extend(bytes(2, b"decoder"));
    graph.extend(constants.iter().flat_map(|tensor| bytes(5, tensor)));
    graph.extend(inputs.iter().flat_map(|input| bytes(11, input)));
    graph.extend(outputs.iter().flat_map(|output| bytes(12, output)));
    let property = |version: &str| bytes(14, &[bytes(1, b"llmzip.exact"), bytes(2, version.as_bytes())].concat());
    let properties = d.exact.map(property).unwrap_or_default();
    [integer(1, 8), bytes(7, &graph), bytes(8, &integer(2, 17)), properties].concat()
}

pub(crate) fn node(op: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut node = inputs
        .iter()
        .flat_map(|input| bytes(1, input.as_bytes()))
        .collect::<Vec<_>>();
    node.extend(bytes(2, output.as_bytes()));
    node.extend(bytes(4, op.as_bytes()));
    node.extend(attributes.iter().flat_map(|attribute| bytes(5, attribute)));
    node
}

pub(crate) fn int(name: &str, value: u64) -> Vec<u8> {
    [bytes(1, name.as_bytes()), integer(3, value), integer(20, 2)].concat()
}

pub(crate) fn ints(name: &str, values: &[u64]) -> Vec<u8> {
    let values = values.iter().flat_map(|&value| integer(8, value)).collect();
    [bytes(1, name.as_bytes()), values, integer(20, 7)].concat()
}

pub(crate) fn tensor(name: &str, element: &str, shape: &[usize], values: impl Iterator<Item = i64>) -> Vec<u8> {
    let raw = values.flat_map(|value| match element {
        "float32" => (value as f32).to_le_bytes().to_vec(),
        "float16" => half::f16::from_f32(value as f32).to_le_bytes().to_vec(),
        "int64" => value.to_le_bytes().to_vec(),
        "int32" => (value as i32).to_le_bytes().to_vec(),
        _ => vec![value as u8],
    });
    let raw = raw.collect::<Vec<_>>();
    let shape = shape.iter().flat_map(|&size| integer(1, size as u64)).collect();
    [
        shape,
        integer(2, code(element)),
        bytes(8, name.as_bytes()),
        bytes(9, &raw),
    ]
    .concat()
}

pub(crate) fn value(name: &str, element: &str, shape: &[&str]) -> Vec<u8> {
    let dimension = |size: &&str| match size.parse::<u64>() {
        Ok(size) => bytes(1, &integer(1, size)),
        Err(_) if size.is_empty() => bytes(1, &[]),
        Err(_) => bytes(1, &bytes(2, size.as_bytes())),
    };
    let shape = shape.iter().flat_map(dimension).collect::<Vec<_>>();
    let tensor = [integer(1, code(element)), bytes(2, &shape)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

/// ONNX's number of an element type.
fn code(element: &str) -> u64 {
    match element {
        "float32" => 1,
        "uint8" => 2,
        "int8" => 3,
        "int32" => 6,
        "int64" => 7,
        "float16" => 10,
        other => panic!("no code for {other}"),
    }
}
