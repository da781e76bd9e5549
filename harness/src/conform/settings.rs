//! Owns what a run is made of, as plain values. Where they come from is `cli`'s.

use std::path::PathBuf;

use super::inputs::Input;
use crate::compare::Classes;
use crate::runner::protocol::{GraphOptimization, Load};

/// A graph to run, with what it must be and how its containers are written.
#[derive(Clone, Debug)]
pub struct Target {
    /// Model and variant, `tiny/q4f16`.
    pub name: String,
    /// Folder with `config.json` and `tokenizer.json`.
    pub model_dir: PathBuf,
    /// The graph, relative to the folder.
    pub model_file: PathBuf,
    /// The SHA-256 it must have, in hex.
    pub model_sha256: String,
    /// The SHA-256 its tokenizer must have, in hex.
    pub tokenizer_sha256: String,
    /// The eps of containers, such as `5e-5`.
    pub eps: String,
    /// What a lane starts from.
    pub start_token: u32,
    /// Context window, in tokens.
    pub window: u32,
    /// Tokens of a window that repeat the one before.
    pub overlap: u32,
}

impl Target {
    /// The request that a runner loads it with.
    #[must_use]
    pub fn load_request(&self, threads: u32, provider: &str, graph_optimization: GraphOptimization) -> Load {
        Load {
            model_dir: self.model_dir.clone(),
            model_file: self.model_file.clone(),
            model_sha256: self.model_sha256.clone(),
            tokenizer_sha256: self.tokenizer_sha256.clone(),
            threads,
            provider: provider.to_owned(),
            graph_optimization,
        }
    }
}

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The graphs, in the order in which they are run.
    pub targets: Vec<Target>,
    /// The text that is predicted.
    pub sequence: Input,
    /// Predict no more than this many of its tokens.
    pub sequence_tokens: Option<usize>,
    /// What is compressed and decompressed.
    pub inputs: Vec<Input>,
    /// Runners of which something must have been compared.
    pub required: Vec<String>,
    /// Threads inside an operator.
    pub threads: u32,
    /// The execution provider.
    pub provider: String,
    /// How far the runtime may rewrite the graph.
    pub graph_optimization: GraphOptimization,
    /// Plain bytes of a frame.
    pub frame_bytes: u32,
    /// What a reader of the report should know about the choice of all this.
    pub remarks: Vec<String>,
    /// What is allowed between two sets of rows.
    pub classes: Classes,
}
