//! Owns the view of a graph that `inspect` gives: its inputs and outputs, its opset, its operations. It reads the file's
//! bytes and what the session says, and runs nothing.

pub mod declarations;
mod external;
pub mod wire;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::external::{MAX_DATA_FILES, is_data_file_name};
use self::external::{is_external, read_place};
use self::wire::{Fields, Malformed, Value};
use super::exactness::Exactness;
use super::signature::BatchPolicy;
use crate::{Error, ErrorCode, Result};

/// How deep graphs may lie inside the attributes of other graphs' nodes.
const MAX_DEPTH: usize = 32;
/// How many different operations, or domains, a file may name.
const MAX_NAMES: usize = 4096;
/// What the names of the project's own `metadata_props` begin with.
const METADATA_PREFIX: &str = "llmzip.";
/// How long the name of an operation or a domain may be, in bytes.
const MAX_NAME: usize = 256;

/// One dimension of a declared shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dimension {
    /// A fixed size.
    Fixed(u64),
    /// A symbol; empty when it has no name.
    Symbolic(String),
}

/// An input or output as the graph declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The type of an element, such as `float16` or `int64`.
    #[serde(rename = "type")]
    pub element: String,
    /// Its dimensions.
    pub shape: Vec<Dimension>,
}

/// What `inspect` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphView {
    /// The inputs, in the graph's order.
    pub inputs: Vec<TensorInfo>,
    /// The outputs, in the graph's order.
    pub outputs: Vec<TensorInfo>,
    /// Version by domain; the default domain is the empty string.
    pub opset: BTreeMap<String, u64>,
    /// Count by operation, `domain::op` or `op` in the default domain; nodes of subgraphs included.
    pub ops: BTreeMap<String, u64>,
    /// Whether several lanes may be fed at once, and why.
    pub batch_policy: BatchPolicy,
    /// Whether the logits are the same bits on every engine, and why.
    pub exactness: Exactness,
    /// The execution provider in use.
    pub provider: String,
}

/// What the bytes of an ONNX file tell without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphFacts {
    /// Version by domain; the default domain is the empty string.
    pub opset: BTreeMap<String, u64>,
    /// Count by operation.
    pub ops: BTreeMap<String, u64>,
    /// The file's `metadata_props` that are the project's own: those that begin with `llmzip.`.
    pub metadata: BTreeMap<String, String>,
    /// The files beside this one that hold initializers of the graph: by name, the end of the part of it that is used, in bytes.
    pub data_files: BTreeMap<String, u64>,
    /// Whether anything but the graph's initializers lies in other files.
    pub hidden_data: bool,
}

impl GraphFacts {
    /// Reads an ONNX file. The memory it takes is bounded whatever the file holds.
    ///
    /// # Errors
    /// `model` when the bytes are not an ONNX model, or one with inputs or outputs that are no tensors, or one that names
    /// absurdly many operations.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut facts = Self::default();
        let mut has_graph = false;
        for field in Fields::new(bytes) {
            match field? {
                (7, Value::Bytes(graph)) => {
                    has_graph = true;
                    facts.check_ends(graph)?;
                    facts.read_graph(graph, 0)?;
                }
                (8, Value::Bytes(import)) => facts.read_opset(import)?,
                (14, Value::Bytes(property)) => facts.read_property(property)?,
                (25, Value::Bytes(function)) => facts.read_function(function)?,
                _ => {}
            }
        }
        if has_graph {
            Ok(facts)
        } else {
            Err(not_onnx("it has no graph"))
        }
    }

    fn read_opset(&mut self, import: &[u8]) -> Result<()> {
        let (mut domain, mut version) = (String::new(), 0);
        for field in Fields::new(import) {
            match field? {
                (1, Value::Bytes(name)) => domain = self::domain(name)?,
                (2, Value::Varint(number)) => version = number,
                _ => {}
            }
        }
        *entry(&mut self.opset, domain)? = version;
        Ok(())
    }

    fn read_property(&mut self, property: &[u8]) -> Result<()> {
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        for field in Fields::new(property) {
            match field? {
                (1, Value::Bytes(text)) => key = text,
                (2, Value::Bytes(text)) => value = text,
                _ => {}
            }
        }
        // Others may be anything, and long.
        if key.starts_with(METADATA_PREFIX.as_bytes()) {
            if self.metadata.len() >= MAX_NAMES {
                return Err(not_onnx("it has too many properties"));
            }
            // As much of a text as is ever looked at.
            let beginning = &value[..value.len().min(MAX_NAME)];
            self.metadata
                .insert(name(key)?, String::from_utf8_lossy(beginning).into_owned());
        }
        Ok(())
    }

    fn read_graph(&mut self, graph: &[u8], depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(not_onnx("its graphs are nested too deep"));
        }
        for field in Fields::new(graph) {
            match field? {
                (1, Value::Bytes(node)) => self.read_node(node, depth)?,
                (5, Value::Bytes(tensor)) => self.read_initializer(tensor, depth)?,
                (15, Value::Bytes(sparse)) => self.hidden_data |= is_external_sparse(sparse)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_initializer(&mut self, tensor: &[u8], depth: usize) -> Result<()> {
        if !is_external(tensor)? {
            return Ok(());
        }
        if depth == 0 {
            return read_place(tensor, &mut self.data_files);
        }
        self.hidden_data = true;
        Ok(())
    }

    /// A function's nodes are not counted, its calls are; but its constants may lie in other files too.
    fn read_function(&mut self, function: &[u8]) -> Result<()> {
        let mut facts = Self::default();
        for field in Fields::new(function) {
            if let (7, Value::Bytes(node)) = field? {
                facts.read_node(node, 1)?;
            }
        }
        self.hidden_data |= facts.hidden_data;
        Ok(())
    }

    fn read_node(&mut self, node: &[u8], depth: usize) -> Result<()> {
        let (mut op, mut domain) = (String::new(), String::new());
        for field in Fields::new(node) {
            match field? {
                (4, Value::Bytes(text)) => op = name(text)?,
                (5, Value::Bytes(attribute)) => self.read_attribute(attribute, depth)?,
                (7, Value::Bytes(text)) => domain = self::domain(text)?,
                _ => {}
            }
        }
        let key = if domain.is_empty() {
            op
        } else {
            format!("{domain}::{op}")
        };
        *entry(&mut self.ops, key)? += 1;
        Ok(())
    }

    fn read_attribute(&mut self, attribute: &[u8], depth: usize) -> Result<()> {
        for field in Fields::new(attribute) {
            match field? {
                (5 | 10, Value::Bytes(tensor)) => self.hidden_data |= is_external(tensor)?,
                (6 | 11, Value::Bytes(graph)) => self.read_graph(graph, depth + 1)?,
                (22 | 23, Value::Bytes(sparse)) => self.hidden_data |= is_external_sparse(sparse)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Refuses what is no tensor among the graph's inputs and outputs, before a runtime has to make something of it.
    fn check_ends(&self, graph: &[u8]) -> Result<()> {
        for field in Fields::new(graph) {
            let (11 | 12, Value::Bytes(info)) = field? else {
                continue;
            };
            for field in Fields::new(info) {
                let (2, Value::Bytes(kind)) = field? else { continue };
                for field in Fields::new(kind) {
                    let (4..=9, Value::Bytes(_)) = field? else { continue };
                    return Err(not_onnx("an input or output of it is not a tensor"));
                }
            }
        }
        Ok(())
    }
}

/// Whether the values or the indices of a sparse tensor lie in another file.
fn is_external_sparse(sparse: &[u8]) -> Result<bool> {
    for field in Fields::new(sparse) {
        if let (1 | 2, Value::Bytes(tensor)) = field?
            && is_external(tensor)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn name(bytes: &[u8]) -> Result<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= MAX_NAME => Ok(text.to_owned()),
        _ => Err(not_onnx(
            "an operation, a domain or a property of it has no proper name",
        )),
    }
}

/// `ai.onnx` is another name of the default domain.
fn domain(bytes: &[u8]) -> Result<String> {
    let name = name(bytes)?;
    Ok(if name == "ai.onnx" { String::new() } else { name })
}

fn entry(counts: &mut BTreeMap<String, u64>, key: String) -> Result<&mut u64> {
    if counts.len() >= MAX_NAMES && !counts.contains_key(&key) {
        return Err(not_onnx("it names too many operations or domains"));
    }
    Ok(counts.entry(key).or_insert(0))
}

fn not_onnx(reason: &str) -> Error {
    Error::new(
        ErrorCode::Model,
        format!("the model file is not an ONNX model that can be used: {reason}"),
    )
    .with_hint("take an .onnx file of a decoder with a cache; a file that was cut off in transfer looks like this too")
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        not_onnx(match malformed {
            Malformed::Truncated => "it ends too early",
            Malformed::BadTag => "its bytes are not protobuf",
        })
    }
}

#[cfg(test)]
mod tests;
