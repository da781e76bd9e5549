//! Owns the reading of what a decoder graph declares: which input is what, how each cache is shaped, whether lanes may be
//! batched. It works on declarations alone and runs nothing.

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::graph::{Dimension, TensorInfo};
use super::source::LogitsType;
use crate::{Error, ErrorCode, Result};

/// What an input of the graph is fed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputRole {
    /// The new ids, `[batch, length]`.
    InputIds(IndexType),
    /// Ones over past and new positions, `[batch, past + length]`.
    AttentionMask(IndexType),
    /// The new positions, `[batch, length]`.
    PositionIds(IndexType),
    /// The cache of this number.
    Cache(usize),
}

/// What an output of the graph is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputRole {
    /// The logits, `[batch, length, vocab_size]`.
    Logits,
    /// What the cache of this number becomes.
    Present(usize),
    /// Nothing.
    Unused,
}

/// The element type of ids, masks and positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexType {
    /// 64-bit.
    Int64,
    /// 32-bit.
    Int32,
}

/// A cache input and how it grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSlot {
    /// The input's name.
    pub name: String,
    /// The type of an element, such as `float16`.
    pub element: String,
    /// The dimensions, with 0 in place of the batch and of the past.
    pub shape: Vec<usize>,
    /// The dimension that counts past positions.
    pub past_axis: usize,
}

impl CacheSlot {
    /// What an input of a lane takes.
    #[must_use]
    pub fn bytes_per_input(&self) -> usize {
        let element = match self.element.as_str() {
            "int8" | "uint8" => 1,
            "float16" | "bfloat16" => 2,
            _ => 4,
        };
        let grows = |axis: usize| axis == 0 || axis == self.past_axis;
        let fixed = self.shape.iter().enumerate().filter(|&(axis, _)| !grows(axis));
        fixed.fold(element, |bytes, (_, &size)| bytes.saturating_mul(size))
    }
}

/// Whether several lanes may be fed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// Any number of lanes.
    Dynamic,
    /// One lane at a time.
    Static,
}

/// The batch policy and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchPolicy {
    /// Whether several lanes may be fed at once.
    pub batch: Batch,
    /// Why.
    pub reason: String,
}

/// What a decoder graph declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The inputs' roles, in the graph's order.
    pub inputs: Vec<InputRole>,
    /// The outputs' roles, in the graph's order.
    pub outputs: Vec<OutputRole>,
    /// The caches, in the order of their inputs.
    pub caches: Vec<CacheSlot>,
    /// The element type of the logits.
    pub logits_type: LogitsType,
    /// Whether a run takes one new id of a lane; else any number.
    pub one_by_one: bool,
    /// Whether several lanes may be fed at once.
    pub batch_policy: BatchPolicy,
}

impl Signature {
    /// Reads the declarations of a graph.
    ///
    /// # Errors
    /// `model` when the graph is not a decoder with a cache, or takes something unknown; `vocabulary` when its logits have
    /// another width than `config.json` says.
    pub fn read(inputs: &[TensorInfo], outputs: &[TensorInfo], config: &ModelConfig) -> Result<Self> {
        let batch_policy = batch_policy(inputs, outputs);
        let mut caches = Vec::new();
        let mut roles = Vec::with_capacity(inputs.len());
        for input in inputs {
            check_batch(input)?;
            roles.push(match input.name.as_str() {
                "input_ids" => InputRole::InputIds(index_type(input)?),
                "attention_mask" => InputRole::AttentionMask(index_type(input)?),
                "position_ids" => InputRole::PositionIds(index_type(input)?),
                name if name.starts_with(PAST) => {
                    caches.push(cache_slot(input, config)?);
                    InputRole::Cache(caches.len() - 1)
                }
                name => {
                    return Err(undrivable(&format!(
                        "its input {name} is not one that a decoder with a cache has"
                    )));
                }
            });
        }
        if !inputs.iter().any(|input| input.name == "input_ids") {
            return Err(undrivable("it has no input input_ids"));
        }
        if caches.is_empty() {
            return Err(undrivable(&format!("it has no inputs {PAST}*, hence no cache")));
        }
        let logits = outputs.iter().find(|output| output.name == LOGITS);
        let logits = logits.ok_or_else(|| undrivable("it has no output logits"))?;
        config.check_graph(fixed(logits.shape.last()))?;
        Ok(Self {
            inputs: roles,
            outputs: output_roles(outputs, &caches)?,
            logits_type: logits_type(logits)?,
            one_by_one: one_by_one(inputs, logits)?,
            caches,
            batch_policy,
        })
    }
}

const LOGITS: &str = "logits";
const PAST: &str = "past_key_values.";
const PRESENT: &str = "present.";

/// A batch is allowed where the first dimension of every input, of the logits and of every present output is symbolic.
#[must_use]
pub fn batch_policy(inputs: &[TensorInfo], outputs: &[TensorInfo]) -> BatchPolicy {
    let is_used = |output: &&TensorInfo| output.name == LOGITS || output.name.starts_with(PRESENT);
    let used = inputs.iter().chain(outputs.iter().filter(is_used)).collect::<Vec<_>>();
    for tensor in &used {
        let size = match tensor.shape.first() {
            Some(Dimension::Symbolic(_)) => continue,
            Some(Dimension::Fixed(size)) => format!("fixed at {size}"),
            None => "missing".to_owned(),
        };
        return BatchPolicy {
            batch: Batch::Static,
            reason: format!("the batch dimension of {} is {size}", tensor.name),
        };
    }
    BatchPolicy {
        batch: Batch::Dynamic,
        reason: format!(
            "the batch dimension of all {} inputs and outputs is symbolic",
            used.len()
        ),
    }
}

/// Ids are fed one by one where the sequence dimension of the ids, of the positions or of the logits is 1. The mask's cannot be fixed at all:
/// it spans a past that grows.
fn one_by_one(inputs: &[TensorInfo], logits: &TensorInfo) -> Result<bool> {
    let mut one_by_one = false;
    for tensor in inputs.iter().chain([logits]) {
        let Some(size) = fixed(tensor.shape.get(1)) else {
            continue;
        };
        match tensor.name.as_str() {
            "input_ids" | "position_ids" | LOGITS if size == 1 => one_by_one = true,
            "input_ids" | "position_ids" | LOGITS | "attention_mask" => {
                let message = format!("the sequence dimension of {} is fixed at {size}", tensor.name);
                return Err(undrivable(&message));
            }
            _ => {}
        }
    }
    Ok(one_by_one)
}

fn check_batch(input: &TensorInfo) -> Result<()> {
    match input.shape.first() {
        Some(Dimension::Symbolic(_) | Dimension::Fixed(1)) => Ok(()),
        Some(Dimension::Fixed(size)) => Err(undrivable(&format!(
            "it takes batches of {size} lanes only ({})",
            input.name
        ))),
        None => Err(undrivable(&format!("its input {} has no dimensions", input.name))),
    }
}

fn fixed(dimension: Option<&Dimension>) -> Option<usize> {
    match dimension {
        Some(Dimension::Fixed(size)) => usize::try_from(*size).ok(),
        _ => None,
    }
}

fn index_type(input: &TensorInfo) -> Result<IndexType> {
    match (input.element.as_str(), input.shape.len()) {
        ("int64", 2) => Ok(IndexType::Int64),
        ("int32", 2) => Ok(IndexType::Int32),
        (element, rank) => Err(undrivable(&format!(
            "its input {} is {element} with {rank} dimensions, not int64 or int32 with 2",
            input.name
        ))),
    }
}

fn logits_type(logits: &TensorInfo) -> Result<LogitsType> {
    match (logits.element.as_str(), logits.shape.len()) {
        ("float32", 3) => Ok(LogitsType::Float32),
        ("float16", 3) => Ok(LogitsType::Float16),
        (element, rank) => Err(undrivable(&format!(
            "its logits are {element} with {rank} dimensions, not float32 or float16 with 3"
        ))),
    }
}

fn output_roles(outputs: &[TensorInfo], caches: &[CacheSlot]) -> Result<Vec<OutputRole>> {
    let roles = outputs.iter().map(|output| {
        if output.name == LOGITS {
            return Ok(OutputRole::Logits);
        }
        let Some(rest) = output.name.strip_prefix(PRESENT) else {
            return Ok(OutputRole::Unused);
        };
        let Some(cache) = caches.iter().position(|cache| cache.name[PAST.len()..] == *rest) else {
            return Ok(OutputRole::Unused);
        };
        if output.element != caches[cache].element {
            return Err(undrivable(&format!(
                "{} is {}, {} is {}",
                output.name, output.element, caches[cache].name, caches[cache].element
            )));
        }
        Ok(OutputRole::Present(cache))
    });
    let roles = roles.collect::<Result<Vec<_>>>()?;
    for (index, cache) in caches.iter().enumerate() {
        if roles.iter().filter(|&&role| role == OutputRole::Present(index)).count() != 1 {
            return Err(undrivable(&format!("its input {} has no present output", cache.name)));
        }
    }
    Ok(roles)
}

/// Dimension 0 is the batch. Of the other symbolic ones the past is the one that is named so, else dimension 2, else the first;
/// the rest are heads (dimension 1) and head_dim, which `config.json` knows.
fn cache_slot(input: &TensorInfo, config: &ModelConfig) -> Result<CacheSlot> {
    let symbol = |axis: usize| match &input.shape[axis] {
        Dimension::Symbolic(name) => Some((axis, name)),
        Dimension::Fixed(_) => None,
    };
    let symbols = (1..input.shape.len()).filter_map(symbol).collect::<Vec<_>>();
    let named = symbols
        .iter()
        .find(|(_, name)| name.contains("past") || name.contains("seq"));
    let third = symbols.iter().find(|(axis, _)| *axis == 2);
    let Some(&(past_axis, _)) = named.or(third).or(symbols.first()) else {
        return Err(undrivable(&format!(
            "its input {} leaves no dimension open for the past",
            input.name
        )));
    };
    let mut shape = Vec::with_capacity(input.shape.len());
    for (axis, dimension) in input.shape.iter().enumerate() {
        shape.push(match (axis, fixed(Some(dimension))) {
            (0, _) => 0,
            (axis, _) if axis == past_axis => 0,
            (_, Some(size)) => size,
            (1, None) => config.key_value_heads()?,
            (_, None) => config.head_dim()?,
        });
    }
    Ok(CacheSlot {
        name: input.name.clone(),
        element: input.element.clone(),
        shape,
        past_axis,
    })
}

fn undrivable(reason: &str) -> Error {
    Error::new(ErrorCode::Model, format!("the graph cannot be driven: {reason}"))
        .with_hint("export the model as a decoder with a cache: input_ids, past_key_values.*, logits, present.*")
}

#[cfg(test)]
mod tests;
