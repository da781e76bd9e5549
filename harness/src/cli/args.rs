//! Owns the grammar of the command line, as the user types it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Compresses with a language model, and proves that every runtime decodes what any other wrote.
#[derive(Debug, Parser)]
#[command(name = "llmzip", version, max_term_width = 100)]
pub struct Arguments {
    /// Say nothing but errors on stderr.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run every runner on the same model and compare tokens, log-probs and round trips.
    Conform(Box<ConformArguments>),
    /// Hold this machine to what the models gave elsewhere, or record it anew.
    Golden(GoldenArguments),
    /// Make the Python and Node environments; `conform` does it by itself.
    Setup(SetupArguments),
    /// Say what is there, what is missing and how to get it.
    Doctor,
}

/// Arguments of `conform`.
#[derive(Debug, Args)]
pub struct ConformArguments {
    /// A model of models/manifest.toml, or a folder; may be given more than once.
    #[arg(long, value_name = "NAME", default_value = "tiny")]
    pub model: Vec<String>,
    /// Run only these variants (such as q4f16); all that are present unless given.
    #[arg(long, value_name = "NAME")]
    pub variant: Vec<String>,
    /// Run only these runners: rust, python, node, or one added by --runner.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Fail if one of these runners does not take part.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "rust,python,node")]
    pub require: Vec<String>,
    /// Add a runner: a name and the command that starts it.
    #[arg(long, value_name = "NAME=COMMAND")]
    pub runner: Vec<String>,
    /// Predict only the first tokens of 1..1000.
    #[arg(long, value_name = "COUNT")]
    pub tokens: Option<usize>,
    /// Also round-trip 100 KB of text.
    #[arg(long)]
    pub thorough: bool,
    /// Threads inside an operator.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: u32,
    /// How far ONNX Runtime may rewrite the graph.
    #[arg(long, value_name = "LEVEL", default_value = "all", value_parser = ["disabled", "basic", "extended", "all"])]
    pub graph_optimization: String,
    /// Seconds that a runner may take to load a model.
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    pub load_timeout: f64,
    /// Seconds that a runner may be silent during any other request.
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    pub request_timeout: f64,
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the report as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

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

/// Arguments of `setup`.
#[derive(Debug, Args)]
pub struct SetupArguments {
    /// Also install what the tests and checks of py-runner need.
    #[arg(long)]
    pub dev: bool,
}
