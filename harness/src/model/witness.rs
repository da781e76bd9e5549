//! Owns the driving of exact graphs in rten, an engine that shares no code with ONNX Runtime: an error of the one shows as a difference
//! from the other. It takes no other graphs: their logits would differ anyway, which would prove nothing.

mod lowering;
mod past;
mod types;

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};

use self::lowering::lower;
use self::past::Past;
use super::config::ModelConfig;
use super::exactness::{Exactness, read_exactness};
use super::fingerprint::GraphOptimization;
use super::graph::declarations::Declarations;
use super::graph::{GraphFacts, GraphView};
use super::model_files::ModelFiles;
use super::passes::{check_batch, check_ids, check_kept, check_logits};
use super::provider::Provider;
use super::session::SessionOptions;
use super::signature::{InputRole, OutputRole, Signature};
use super::source::{GraphSession, Logits, LogitsSource, LogitsType};
use crate::{Error, ErrorCode, Result};

/// The name of the engine in fingerprints.
pub const RUNTIME: &str = "rten";
/// Its version.
pub const RUNTIME_VERSION: &str = env!("LLMZIP_RTEN_VERSION");

/// An exact graph in rten, with its cache.
#[derive(Debug)]
pub struct RtenSession {
    model: Model,
    input_ids: Vec<NodeId>,
    output_ids: Vec<NodeId>,
    threads: usize,
    pool: Arc<ThreadPool>,
    signature: Signature,
    declarations: Declarations,
    facts: GraphFacts,
    exactness: Exactness,
    provider: String,
    max_batch: usize,
    cache_bytes: usize,
    vocab_size: usize,
    /// In the order of the signature's caches.
    past: Vec<Past>,
    batch: usize,
    length: usize,
    logits: Vec<f32>,
}

impl RtenSession {
    /// Loads the graph whose files are `model`; an exact graph is one file.
    ///
    /// # Errors
    /// `unsupported` for a graph that is not exact, for one with a fixed sequence length and for another provider; `model` when the
    /// bytes are no ONNX model or not a decoder that can be driven; `vocabulary` when its logits are of another width than `config` says.
    pub fn load(model: &ModelFiles, config: &ModelConfig, options: &SessionOptions) -> Result<Self> {
        options.check()?;
        let provider = Provider::named(&options.provider)?;
        if !provider.is_cpu() {
            return Err(not_here(&format!(
                "on the CPU, not by the execution provider {}",
                provider.name
            )));
        }
        let facts = GraphFacts::parse(&model.onnx)?;
        let exactness = read_exactness(&facts.metadata, facts.ops.keys());
        if !exactness.exact {
            return Err(not_here(&format!("but {}", exactness.reason)));
        }
        model.check(&facts)?;
        let declarations = Declarations::of_model(&model.onnx)?;
        let signature = Signature::read(&declarations.inputs, &declarations.outputs, config)?;
        if signature.one_by_one || signature.logits_type != LogitsType::Float32 {
            return Err(not_here(
                "with a symbolic sequence length and float32 logits, which this one has not",
            ));
        }
        let max_batch = options.max_batch(&signature.batch_policy)?;
        let cache_bytes = options.cache_bytes(&signature.caches);
        let model = ModelOptions::with_all_ops()
            .enable_optimization(options.graph_optimization != GraphOptimization::Disabled)
            .load(lower(&model.onnx)?)
            .map_err(|error| {
                Error::new(ErrorCode::Model, format!("rten cannot load the graph: {error}"))
                    .with_hint("rten may lack an operation of the graph, or a type of it")
            })?;
        let ids = |names: &mut dyn Iterator<Item = &str>| -> Result<Vec<NodeId>> {
            names
                .map(|name| model.node_id(name).map_err(|error| run_failed(&error)))
                .collect()
        };
        let input_ids = ids(&mut declarations.inputs.iter().map(|input| input.name.as_str()))?;
        let output_ids = ids(&mut declarations.outputs.iter().map(|output| output.name.as_str()))?;
        let mut session = Self {
            model,
            input_ids,
            output_ids,
            threads: options.threads as usize,
            pool: Arc::new(ThreadPool::with_num_threads(options.threads as usize)),
            signature,
            declarations,
            facts,
            exactness,
            provider: options.provider.clone(),
            max_batch,
            cache_bytes,
            vocab_size: config.vocab_size,
            past: Vec::new(),
            batch: 0,
            length: 0,
            logits: Vec::new(),
        };
        session.reset(1)?;
        Ok(session)
    }

    /// What is fed for one input.
    fn input(&self, role: InputRole, ids: &[u32], length: usize) -> Result<ValueOrView<'_>> {
        let (batch, past) = (self.batch, self.length);
        // rten has no 64-bit integers: ids, masks and positions are 32-bit whatever the graph declares.
        let tensor = |width: usize, values: Vec<i32>| -> Result<ValueOrView<'_>> {
            let value = Value::from_shape([batch, width], values).map_err(|error| run_failed(&error))?;
            Ok(value.into())
        };
        match role {
            InputRole::InputIds(_) => tensor(length, ids.iter().map(|&id| id as i32).collect()),
            InputRole::AttentionMask(_) => tensor(past + length, vec![1; batch * (past + length)]),
            InputRole::PositionIds(_) => {
                let positions = (0..batch).flat_map(|_| past..past + length);
                tensor(length, positions.map(|position| position as i32).collect())
            }
            InputRole::Cache(slot) => self.past[slot].view(&self.signature.caches[slot], batch, past),
        }
    }
}

impl LogitsSource for RtenSession {
    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn logits_type(&self) -> LogitsType {
        self.signature.logits_type
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }

    fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    fn exactness(&self) -> Exactness {
        self.exactness.clone()
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        check_batch(&self.signature.batch_policy, batch)?;
        self.past = self.signature.caches.iter().map(Past::empty).collect::<Result<_>>()?;
        self.batch = batch;
        self.length = 0;
        Ok(())
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        check_kept(batch, self.batch)?;
        for (past, slot) in self.past.iter_mut().zip(&self.signature.caches) {
            past.keep(slot, batch, self.length);
        }
        self.batch = batch;
        Ok(())
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        check_ids(ids, self.batch, length, self.vocab_size)?;
        let mut inputs = Vec::with_capacity(self.input_ids.len());
        for (&id, &role) in self.input_ids.iter().zip(&self.signature.inputs) {
            inputs.push((id, self.input(role, ids, length)?));
        }
        let mut options = RunOptions::default();
        options.thread_pool = Some(Arc::clone(&self.pool));
        let outputs = self
            .model
            .run(inputs, &self.output_ids, Some(options))
            .map_err(|error| run_failed(&error))?;
        let (mut logits, total) = (None, self.length + length);
        let mut present: Vec<Option<Past>> = self.signature.caches.iter().map(|_| None).collect();
        for (&role, value) in self.signature.outputs.iter().zip(outputs) {
            match role {
                OutputRole::Logits => logits = Some(value),
                OutputRole::Present(slot) => {
                    present[slot] = Some(Past::take(value, &self.signature.caches[slot], self.batch, total)?);
                }
                OutputRole::Unused => {}
            }
        }
        let (Some(logits), Some(present)) = (logits, present.into_iter().collect()) else {
            return Err(Error::new(
                ErrorCode::Internal,
                "the runtime gave fewer outputs than the graph declares",
            ));
        };
        let (shape, logits) = logits.into_shape_vec::<f32, 3>().map_err(|error| run_failed(&error))?;
        check_logits(&shape.map(|size| size as i64), [self.batch, length], self.vocab_size)?;
        self.past = present;
        self.length = total;
        self.logits = logits;
        Ok(Logits::F32(&self.logits))
    }
}

impl GraphSession for RtenSession {
    fn view(&self) -> Result<GraphView> {
        Ok(GraphView {
            inputs: self.declarations.inputs.clone(),
            outputs: self.declarations.outputs.clone(),
            opset: self.facts.opset.clone(),
            ops: self.facts.ops.clone(),
            batch_policy: self.signature.batch_policy.clone(),
            exactness: self.exactness.clone(),
            provider: self.provider.clone(),
        })
    }
}

/// What this engine is not for.
fn not_here(but: &str) -> Error {
    Error::new(
        ErrorCode::Unsupported,
        format!("rten is here a witness for exact graphs, {but}"),
    )
    .with_hint("use a runner of ONNX Runtime for this graph")
}

fn run_failed(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorCode::Model, format!("rten cannot run the graph: {error}"))
        .with_hint("the window may be longer than the positions that the model knows, or memory may be short")
}

#[cfg(test)]
mod tests;
