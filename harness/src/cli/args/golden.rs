//! Owns the grammar of `golden`.

use clap::{Args, Subcommand};

use super::ComputeArguments;

/// Arguments of `golden`.
#[derive(Debug, Args)]
pub struct GoldenArguments {
    /// What to do with the goldens.
    #[command(subcommand)]
    pub command: GoldenCommand,
}

/// What to do with the goldens.
#[derive(Debug, Subcommand)]
pub enum GoldenCommand {
    /// Hold this machine to golden/MODEL: tokens, graph, log-probs, containers, and their decoding.
    Check(GoldenCheckArguments),
    /// Replace golden/MODEL by the answers of one runner, and golden/codec/vectors.json by the codec's.
    Write(GoldenWriteArguments),
}

/// Arguments of `golden check`.
#[derive(Debug, Args)]
pub struct GoldenCheckArguments {
    /// A model of models/manifest.toml.
    #[arg(long, value_name = "NAME", default_value = "tiny")]
    pub model: String,
    /// Hold only these runners to them.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "rust,python,node")]
    pub runner: Vec<String>,
    /// How the runners are told to compute; the goldens are of the CPU and one thread.
    #[command(flatten)]
    pub compute: ComputeArguments,
}

/// Arguments of `golden write`.
#[derive(Debug, Args)]
pub struct GoldenWriteArguments {
    /// A model of models/manifest.toml.
    #[arg(long, value_name = "NAME", default_value = "tiny")]
    pub model: String,
    /// The one runner whose answers they become: rust, python or node.
    #[arg(long, value_name = "NAME", default_value = "rust")]
    pub runner: String,
    /// Write only golden/codec/vectors.json, which needs no model and no runner.
    #[arg(long, conflicts_with_all = ["model", "runner"])]
    pub codec: bool,
}
