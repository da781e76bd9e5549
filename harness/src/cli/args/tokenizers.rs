//! Owns the grammar of `llmzip tokenizers`.

use clap::Args;

use super::TimeoutArguments;

/// Arguments of `tokenizers`.
#[derive(Debug, Args)]
pub struct TokenizersArguments {
    /// A model of models/manifest.toml, or a folder: its tokenizer is the one that is asked.
    #[arg(long, value_name = "NAME|DIR", default_value = "tiny")]
    pub model: String,
    /// The graph that runners load with it; exact, else q4f16, else the first, unless given.
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// Texts, and pairs of ids, that are generated, beside the texts and ids that are always asked.
    #[arg(long, value_name = "COUNT", default_value_t = 5_000)]
    pub cases: usize,
    /// What the generated texts and pairs follow from.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// The runners; the others are compared with the first of rust, python, node that is among them, else with the first that is added.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "rust,python,node")]
    pub only: Vec<String>,
    /// Add a runner: a name and the command that starts it. It takes part in any case.
    #[arg(long, value_name = "NAME=COMMAND")]
    pub runner: Vec<String>,
    /// How long a runner is waited for.
    #[command(flatten)]
    pub timeouts: TimeoutArguments,
}
