//! Owns the interface between whatever computes logits and whatever uses them. Codec tests stand on it with synthetic
//! logits; the ONNX session implements it. Beside it the interface to a tokenizer.

use half::f16;
use serde::{Deserialize, Serialize};

use super::exactness::Exactness;
use super::graph::GraphView;
use crate::Result;

/// Logits of one pass, `[batch, length, vocab_size]`, row-major, in the graph's own type.
#[derive(Clone, Copy, Debug)]
pub enum Logits<'a> {
    /// 32-bit logits.
    F32(&'a [f32]),
    /// 16-bit logits.
    F16(&'a [f16]),
}

/// The logits that predict one token, borrowed from the pass that made them.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    /// 32-bit logits.
    F32(&'a [f32]),
    /// 16-bit logits.
    F16(&'a [f16]),
}

impl<'a> Logits<'a> {
    /// How many values these logits have.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
        }
    }

    /// Whether these logits have no value.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Row number `index` of `vocab_size` values: for lane `b` and place `i` of a pass of `length`, `b * length + i`.
    #[must_use]
    pub fn row(self, index: usize, vocab_size: usize) -> Row<'a> {
        let range = index * vocab_size..(index + 1) * vocab_size;
        match self {
            Self::F32(values) => Row::F32(&values[range]),
            Self::F16(values) => Row::F16(&values[range]),
        }
    }
}

impl Row<'_> {
    /// How many logits the row has.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
        }
    }

    /// Whether the row has no logits.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The logit of one id.
    #[must_use]
    pub fn logit(self, id: usize) -> f64 {
        match self {
            Self::F32(values) => f64::from(values[id]),
            Self::F16(values) => f64::from(values[id]),
        }
    }
}

/// The element type of a graph's logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogitsType {
    /// 32-bit logits.
    Float32,
    /// 16-bit logits.
    Float16,
}

/// The most nats that a log-prob of a graph whose cache is 32-bit floats may differ between two plans: the tolerance of the class
/// `other-plan` of `compare/classes.toml`, and a constant of FORMAT.md section 8.
pub const FLOAT32_PLAN_TOLERANCE: f64 = 2e-4;

/// Something that predicts: fed with ids, it gives the logits of what follows each.
pub trait LogitsSource {
    /// `V`, the number of logits in a row.
    fn vocab_size(&self) -> usize;

    /// The element type of [`LogitsSource::feed`]'s logits.
    fn logits_type(&self) -> LogitsType;

    /// The most lanes that are fed at once, at least 1; `usize::MAX` where any number may be.
    fn max_batch(&self) -> usize;

    /// Bytes of the cache for an input of a lane, which bound how many lanes are fed at once; 0 where they do not.
    fn cache_bytes(&self) -> usize {
        0
    }

    /// Whether its logits are the same bits everywhere and in every plan. Not, unless it says so.
    fn exactness(&self) -> Exactness {
        Exactness::no("the source does not say that it is exact".to_owned())
    }

    /// The most nats that its log-probs may differ between two plans: 0 where they are exact, `None` where nothing is known, or no eps
    /// that a container should have covers it.
    fn plan_tolerance(&self) -> Option<f64> {
        self.exactness().exact.then_some(0.0)
    }

    /// How many threads a pass may use, at least 1; between passes whoever uses the logits may have as many.
    fn threads(&self) -> usize {
        1
    }

    /// Empties the cache; the next pass has `batch` lanes and starts at position 0.
    ///
    /// # Errors
    /// `unsupported` when `batch > 1` is not allowed.
    fn reset(&mut self, batch: usize) -> Result<()>;

    /// Keeps the first `batch` lanes of the cache and drops the others.
    ///
    /// # Errors
    /// `internal` when the cache has fewer lanes.
    fn keep_lanes(&mut self, batch: usize) -> Result<()>;

    /// Feeds `ids`, `[batch, length]` row-major, after what the cache holds, and gives the logits after each of them.
    ///
    /// # Errors
    /// `model` when the graph fails.
    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>>;
}

/// A graph that an engine has loaded.
pub trait GraphSession: LogitsSource + std::fmt::Debug + Send {
    /// What `inspect` answers.
    ///
    /// # Errors
    /// `model` when the engine declares something that is no tensor.
    fn view(&self) -> Result<GraphView>;
}

/// Something that cuts text into tokens. It adds no special tokens, recognises their text, and gives text back as it was wherever
/// its vocabulary allows.
pub trait TextTokenizer {
    /// The ids of `text`.
    ///
    /// # Errors
    /// `internal` when the tokenizer fails.
    fn encode(&self, text: &str) -> Result<Vec<u32>>;

    /// The text of `ids`, special tokens included, spaces as they are.
    ///
    /// # Errors
    /// `internal` when the tokenizer fails.
    fn decode(&self, ids: &[u32]) -> Result<String>;
}
