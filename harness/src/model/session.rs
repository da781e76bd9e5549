//! Owns the driving of a decoder graph in ONNX Runtime: ids, masks, positions and cache in, logits out. It knows nothing of
//! windows, lanes' contents or files.

mod options;
mod outlets;
mod values;

use std::sync::Arc;

use half::f16;
use ort::ep::ExecutionProviderDispatch;
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::DynValue;

pub use self::options::SessionOptions;
use self::outlets::tensors;
use self::values::{extract, index_tensor, interleave};
use super::cache::Cache;
use super::config::ModelConfig;
use super::exactness::{Exactness, read_exactness};
use super::fingerprint::GraphOptimization;
use super::graph::{GraphFacts, GraphView};
use super::model_files::{DataFile, ModelFiles};
use super::passes::{check_batch, check_ids, check_logits};
use super::provider::Provider;
use super::runtime::{Runtime, assigned_nodes};
use super::signature::{InputRole, OutputRole, Signature};
use super::source::{FLOAT32_PLAN_TOLERANCE, GraphSession, Logits, LogitsSource, LogitsType};
use crate::{Error, ErrorCode, Result};

/// A decoder graph in ONNX Runtime, with its cache.
#[derive(Debug)]
pub struct OrtSession {
    session: Session,
    signature: Signature,
    facts: GraphFacts,
    provider: String,
    max_batch: usize,
    cache_bytes: usize,
    threads: usize,
    vocab_size: usize,
    cache: Cache,
    logits: Option<PassLogits>,
}

/// The logits of the last `feed`.
#[derive(Debug)]
enum PassLogits {
    /// As the graph gave them.
    Whole(DynValue),
    /// Put together from runs of one id each.
    F32(Vec<f32>),
    /// Put together from runs of one id each.
    F16(Vec<f16>),
}

impl OrtSession {
    /// Loads the graph whose files are `model`.
    ///
    /// # Errors
    /// `usage` for options outside their limits, `unsupported` for a provider that cannot be used, or that ONNX Runtime gave nothing to
    /// do, for a batch that the graph does not take and for weights that are not in these files, `model` when the bytes are no ONNX model or not a
    /// decoder that can be driven,
    /// `vocabulary` when its logits are of another width than `config` says.
    pub fn load(runtime: &Runtime, model: &ModelFiles, config: &ModelConfig, options: &SessionOptions) -> Result<Self> {
        options.check()?;
        let provider = Provider::named(&options.provider)?;
        let facts = GraphFacts::parse(&model.onnx)?;
        model.check(&facts)?;
        let session = open(runtime, model, provider, options)?;
        let signature = Signature::read(&tensors(session.inputs())?, &tensors(session.outputs())?, config)?;
        let max_batch = options.max_batch(&signature.batch_policy)?;
        let cache_bytes = options.cache_bytes(&signature.caches);
        let cache = Cache::new(signature.caches.clone())?;
        Ok(Self {
            session,
            signature,
            facts,
            provider: options.provider.clone(),
            max_batch,
            cache_bytes,
            threads: options.threads as usize,
            vocab_size: config.vocab_size,
            cache,
            logits: None,
        })
    }

    /// What the graph declares.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// One run of the graph over `ids`, `[batch, length]`; the cache advances.
    fn run(&mut self, ids: &[u32], length: usize) -> Result<DynValue> {
        let (batch, past) = (self.cache.batch(), self.cache.length());
        let mut inputs = Vec::with_capacity(self.signature.inputs.len());
        for &role in &self.signature.inputs {
            inputs.push(match role {
                InputRole::InputIds(kind) => index_tensor(kind, [batch, length], ids.iter().copied())?.into(),
                InputRole::AttentionMask(kind) => {
                    let total = past + length;
                    index_tensor(kind, [batch, total], std::iter::repeat_n(1, batch * total))?.into()
                }
                InputRole::PositionIds(kind) => {
                    let positions = (0..batch).flat_map(|_| (past..past + length).map(|position| position as u32));
                    index_tensor(kind, [batch, length], positions)?.into()
                }
                InputRole::Cache(slot) => SessionInputValue::from(&self.cache.values()[slot]),
            });
        }
        let outputs = self
            .session
            .run(inputs.as_slice())
            .map_err(|error| run_failed(&error))?;
        let mut logits = None;
        let mut present = self.signature.caches.iter().map(|_| None).collect::<Vec<_>>();
        for (&role, (_, value)) in self.signature.outputs.iter().zip(outputs) {
            match role {
                OutputRole::Logits => logits = Some(value),
                OutputRole::Present(slot) => present[slot] = Some(value),
                OutputRole::Unused => {}
            }
        }
        drop(inputs);
        let (Some(logits), Some(present)) = (logits, present.into_iter().collect()) else {
            return Err(Error::new(
                ErrorCode::Internal,
                "the runtime gave fewer outputs than the graph declares",
            ));
        };
        let shape = logits.dtype().tensor_shape().map_or(&[][..], |shape| shape);
        check_logits(shape, [batch, length], self.vocab_size)?;
        self.cache.advance(present, length)?;
        Ok(logits)
    }

    /// Feeds a graph that takes one id of a lane per run.
    fn feed_one_by_one(&mut self, ids: &[u32], length: usize) -> Result<PassLogits> {
        let mut runs = Vec::with_capacity(length);
        for place in 0..length {
            let column = ids.iter().skip(place).step_by(length).copied().collect::<Vec<_>>();
            runs.push(self.run(&column, 1)?);
        }
        let batch = self.cache.batch();
        Ok(match self.signature.logits_type {
            LogitsType::Float32 => PassLogits::F32(interleave(&runs, batch, self.vocab_size)?),
            LogitsType::Float16 => PassLogits::F16(interleave(&runs, batch, self.vocab_size)?),
        })
    }
}

impl GraphSession for OrtSession {
    fn view(&self) -> Result<GraphView> {
        Ok(GraphView {
            inputs: tensors(self.session.inputs())?,
            outputs: tensors(self.session.outputs())?,
            opset: self.facts.opset.clone(),
            ops: self.facts.ops.clone(),
            batch_policy: self.signature.batch_policy.clone(),
            exactness: self.exactness(),
            provider: self.provider.clone(),
        })
    }
}

impl LogitsSource for OrtSession {
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
        read_exactness(&self.facts.metadata, self.facts.ops.keys())
    }

    fn plan_tolerance(&self) -> Option<f64> {
        if self.exactness().exact {
            return Some(0.0);
        }
        let mut caches = self.signature.caches.iter();
        caches
            .all(|cache| cache.element == "float32")
            .then_some(FLOAT32_PLAN_TOLERANCE)
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        check_batch(&self.signature.batch_policy, batch)?;
        self.logits = None;
        self.cache.reset(batch)
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        self.cache.keep_lanes(batch)
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        check_ids(ids, self.cache.batch(), length, self.vocab_size)?;
        // The last pass's logits go before the next ones come, so that only one set is ever held.
        self.logits = None;
        let logits = if self.signature.one_by_one && length > 1 {
            self.feed_one_by_one(ids, length)?
        } else {
            PassLogits::Whole(self.run(ids, length)?)
        };
        match (self.logits.insert(logits), self.signature.logits_type) {
            (PassLogits::Whole(value), LogitsType::Float32) => extract(value).map(Logits::F32),
            (PassLogits::Whole(value), LogitsType::Float16) => extract(value).map(Logits::F16),
            (PassLogits::F32(values), _) => Ok(Logits::F32(values)),
            (PassLogits::F16(values), _) => Ok(Logits::F16(values)),
        }
    }
}

/// Makes the session, and holds it to the provider that was asked for.
fn open(runtime: &Runtime, model: &ModelFiles, provider: Provider, options: &SessionOptions) -> Result<Session> {
    let registration = provider.registration()?;
    let mut builder = builder(runtime, options)
        .and_then(|builder| with_data(builder, &model.data))
        .map_err(|error| load_failed(&error))?;
    if provider.is_cpu() {
        return builder
            .commit_from_memory(&model.onnx)
            .map_err(|error| load_failed(&error));
    }
    let session = open_recorded(builder, registration, &model.onnx).map_err(|error| provider.unusable(&error))?;
    let nodes = assigned_nodes(&session).map_err(|error| provider.unusable(&error))?;
    provider.check_took_part(&nodes)?;
    Ok(session)
}

fn open_recorded(
    builder: SessionBuilder,
    registration: Vec<ExecutionProviderDispatch>,
    model: &[u8],
) -> ort::Result<Session> {
    builder
        .with_config_entry(RECORD_ASSIGNMENT, "1")?
        .with_execution_providers(registration)?
        .commit_from_memory(model)
}

/// Makes the session keep which provider was given which node.
const RECORD_ASSIGNMENT: &str = "session.record_ep_graph_assignment_info";

fn builder(runtime: &Runtime, options: &SessionOptions) -> ort::Result<SessionBuilder> {
    let level = match options.graph_optimization {
        GraphOptimization::Disabled => GraphOptimizationLevel::Disable,
        GraphOptimization::Basic => GraphOptimizationLevel::Level1,
        GraphOptimization::Extended => GraphOptimizationLevel::Level2,
        GraphOptimization::All => GraphOptimizationLevel::All,
    };
    // No spinning: several runners share the machine, and a thread that waits busily takes the others' time.
    Ok(SessionBuilder::new(runtime.environment())?
        .with_auto_device(AutoDevicePolicy::PreferCPU)?
        .with_intra_threads(options.threads as usize)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_optimization_level(level)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?)
}

/// The runtime takes weights from these bytes, under these names, and looks for no file.
fn with_data(mut builder: SessionBuilder, data: &[DataFile]) -> ort::Result<SessionBuilder> {
    for file in data {
        builder = builder.with_external_initializer_file_in_memory(&file.name, Arc::clone(&file.bytes))?;
    }
    Ok(builder)
}

fn load_failed(error: &ort::Error) -> Error {
    Error::new(ErrorCode::Model, format!("ONNX Runtime cannot load the graph: {error}"))
        .with_hint("it is no ONNX model, or the runtime lacks an operation of it; `cargo run -- setup` installs the version that is tested")
}

pub(super) fn run_failed(error: &ort::Error) -> Error {
    Error::new(ErrorCode::Model, format!("ONNX Runtime cannot run the graph: {error}"))
        .with_hint("the window may be longer than the positions that the model knows, or memory may be short")
}

#[cfg(test)]
mod declarations_tests;
#[cfg(test)]
mod tests;
