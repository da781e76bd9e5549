//! Owns the driving of exact graphs in rten, an engine that shares no code with ONNX Runtime: the independent witness, so that one
//! library's error cannot hide in all the runners. It knows nothing of windows, lanes' contents or files.

mod declared;
mod lowering;

use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{Tensor, TensorView};

use super::config::ModelConfig;
use super::exactness::{Exactness, read_exactness};
use super::graph::{GraphFacts, GraphView, TensorInfo};
use super::session::{GraphSession, SessionOptions};
use super::signature::{Batch, CacheSlot, InputRole, OutputRole, Signature};
use super::source::{Logits, LogitsSource, LogitsType};
use crate::{Error, ErrorCode, Result};

/// The name of the engine in fingerprints.
pub const RUNTIME: &str = "rten";
/// Its version; `Cargo.toml` asks for this one.
pub const RUNTIME_VERSION: &str = "0.27.0";

/// An exact graph in rten, with its cache.
pub struct RtenSession {
    model: Model,
    threads: Arc<ThreadPool>,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    input_ids: Vec<NodeId>,
    output_ids: Vec<NodeId>,
    signature: Signature,
    facts: GraphFacts,
    vocab_size: usize,
    batch: usize,
    length: usize,
    cache: Vec<Value>,
    logits: Vec<f32>,
}

impl std::fmt::Debug for RtenSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtenSession")
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

impl RtenSession {
    /// Loads the graph whose file's bytes are `model`.
    ///
    /// # Errors
    /// `unsupported` for a graph that is not exact and for another provider, `model` when the bytes are no ONNX model or not a
    /// decoder that can be driven, `vocabulary` when its logits are of another width than `config` says.
    pub fn load(model: &[u8], config: &ModelConfig, options: &SessionOptions) -> Result<Self> {
        options.check_provider()?;
        let facts = GraphFacts::parse(model)?;
        facts.check_one_file()?;
        let exactness = read_exactness(&facts.metadata, facts.ops.keys());
        if !exactness.exact {
            let message = format!("the witness runs exact graphs only, and {}", exactness.reason);
            return Err(Error::new(ErrorCode::Unsupported, message).with_hint("use the model's variant exact"));
        }
        let (inputs, outputs) = declared::ends(model)?;
        let signature = Signature::read(&inputs, &outputs, config)?;
        let model = Model::load(lowering::lower(model)?).map_err(|error| load_failed(&error.to_string()))?;
        let node = |info: &TensorInfo| {
            model
                .node_id(&info.name)
                .map_err(|error| load_failed(&error.to_string()))
        };
        let mut session = Self {
            input_ids: inputs.iter().map(node).collect::<Result<_>>()?,
            output_ids: outputs.iter().map(node).collect::<Result<_>>()?,
            model,
            threads: Arc::new(ThreadPool::with_num_threads(options.threads.max(1) as usize)),
            inputs,
            outputs,
            signature,
            facts,
            vocab_size: config.vocab_size,
            batch: 0,
            length: 0,
            cache: Vec::new(),
            logits: Vec::new(),
        };
        session.reset(1)?;
        Ok(session)
    }

    /// One run of the graph over `ids`, `[batch, length]`; the cache advances.
    fn run(&mut self, ids: &[u32], length: usize) -> Result<Vec<f32>> {
        let (batch, total) = (self.batch, self.length + length);
        let mut inputs: Vec<(NodeId, ValueOrView<'_>)> = Vec::with_capacity(self.input_ids.len());
        for (&node, &role) in self.input_ids.iter().zip(&self.signature.inputs) {
            let value = match role {
                InputRole::InputIds(_) => integers([batch, length], ids.iter().map(|&id| id as usize)),
                InputRole::AttentionMask(_) => integers([batch, total], std::iter::repeat_n(1, batch * total)),
                InputRole::PositionIds(_) => integers([batch, length], (0..batch).flat_map(|_| self.length..total)),
                InputRole::Cache(slot) => {
                    inputs.push((node, ValueOrView::from(&self.cache[slot])));
                    continue;
                }
            };
            inputs.push((node, value.into()));
        }
        let mut options = RunOptions::default();
        options.thread_pool = Some(Arc::clone(&self.threads));
        let outputs = self
            .model
            .run(inputs, &self.output_ids, Some(options))
            .map_err(|error| run_failed(&error.to_string()))?;
        let mut logits = None;
        let mut present: Vec<Option<Value>> = self.signature.caches.iter().map(|_| None).collect();
        for (&role, value) in self.signature.outputs.iter().zip(outputs) {
            match role {
                OutputRole::Logits => logits = Some(value),
                OutputRole::Present(slot) => present[slot] = Some(value),
                OutputRole::Unused => {}
            }
        }
        let (Some(logits), Some(present)) = (logits, present.into_iter().collect::<Option<Vec<_>>>()) else {
            return Err(run_failed("it gave fewer outputs than the graph declares"));
        };
        self.check_present(&present, total)?;
        let logits = Tensor::<f32>::try_from(logits).map_err(|error| run_failed(&error.to_string()))?;
        if logits.shape() != [batch, length, self.vocab_size] {
            return Err(run_failed(&format!(
                "{batch} lanes of {length} ids gave logits of shape {:?}",
                logits.shape()
            )));
        }
        self.cache = present;
        self.length = total;
        Ok(logits.to_vec())
    }

    fn check_present(&self, present: &[Value], total: usize) -> Result<()> {
        for (slot, value) in self.signature.caches.iter().zip(present) {
            let expected = shape(slot, self.batch, total);
            if value.shape().as_slice() != expected {
                return Err(run_failed(&format!(
                    "after {total} positions the cache of {} has shape {:?}, not {expected:?}",
                    slot.name,
                    value.shape()
                )));
            }
        }
        Ok(())
    }
}

impl GraphSession for RtenSession {
    fn view(&self) -> Result<GraphView> {
        Ok(GraphView {
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            opset: self.facts.opset.clone(),
            ops: self.facts.ops.clone(),
            batch_policy: self.signature.batch_policy.clone(),
            exactness: self.exactness(),
            provider: "cpu".to_owned(),
        })
    }
}

impl LogitsSource for RtenSession {
    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn logits_type(&self) -> LogitsType {
        self.signature.logits_type
    }

    fn allows_batch(&self) -> bool {
        self.signature.batch_policy.batch == Batch::Dynamic
    }

    fn exactness(&self) -> Exactness {
        read_exactness(&self.facts.metadata, self.facts.ops.keys())
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        let empty = |slot: &CacheSlot| {
            let shape = shape(slot, batch, 0);
            match slot.element.as_str() {
                "float32" => Ok(Tensor::<f32>::zeros(&shape).into()),
                "uint8" => Ok(Tensor::<u8>::zeros(&shape).into()),
                other => Err(load_failed(&format!("the cache {} holds {other}", slot.name))),
            }
        };
        self.cache = self.signature.caches.iter().map(empty).collect::<Result<_>>()?;
        (self.batch, self.length) = (batch, 0);
        Ok(())
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        if batch == 0 || batch > self.batch {
            let message = format!("cannot keep {batch} lanes of a cache of {}", self.batch);
            return Err(Error::new(ErrorCode::Internal, message));
        }
        let keep = |value: &Value| match value {
            Value::FloatTensor(tensor) => Ok(first_lanes(tensor.view(), batch).into()),
            Value::UInt8Tensor(tensor) => Ok(first_lanes(tensor.view(), batch).into()),
            _ => Err(run_failed("a cache changed its type")),
        };
        self.cache = self.cache.iter().map(keep).collect::<Result<_>>()?;
        self.batch = batch;
        Ok(())
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        if length == 0 || ids.len() != self.batch * length {
            let message = format!("{} ids are not {} lanes of {length}", ids.len(), self.batch);
            return Err(Error::new(ErrorCode::Internal, message));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.vocab_size) {
            let message = format!("token id {id} is not below the vocabulary size {}", self.vocab_size);
            return Err(Error::new(ErrorCode::Usage, message).with_hint("use ids that this model's tokenizer gives"));
        }
        self.logits = self.run(ids, length)?;
        Ok(Logits::F32(&self.logits))
    }
}

/// rten has no 64-bit integers: ids, masks and positions go in as 32-bit ones.
fn integers(shape: [usize; 2], values: impl Iterator<Item = usize>) -> Value {
    Tensor::from_data(&shape, values.map(|value| value as i32).collect::<Vec<_>>()).into()
}

fn shape(slot: &CacheSlot, batch: usize, length: usize) -> Vec<usize> {
    let mut shape = slot.shape.clone();
    shape[0] = batch;
    shape[slot.past_axis] = length;
    shape
}

/// Dimension 0 is the batch.
fn first_lanes<T: Clone>(tensor: TensorView<'_, T>, batch: usize) -> Tensor<T> {
    tensor.slice(0..batch).to_tensor()
}

fn load_failed(reason: &str) -> Error {
    Error::new(ErrorCode::Model, format!("rten cannot load the graph: {reason}"))
        .with_hint("see that the graph passes `llmzip exact check`; it may have an op that rten lacks")
}

fn run_failed(reason: &str) -> Error {
    Error::new(ErrorCode::Model, format!("rten cannot run the graph: {reason}"))
        .with_hint("the window may be longer than the positions that the model knows, or memory may be short")
}

#[cfg(test)]
mod tests;
