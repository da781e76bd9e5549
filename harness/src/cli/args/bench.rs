//! Owns the grammar of `llmzip bench`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::{ComputeArguments, TimeoutArguments};
use crate::model::context::MAX_LANES;

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// A model of models/manifest.toml, or a folder; may be given more than once.
    #[arg(long, value_name = "NAME|DIR", default_value = "tiny")]
    pub model: Vec<String>,
    /// Only these variants (such as q4); exact and q4f16 unless given.
    #[arg(long, value_name = "NAME")]
    pub variant: Vec<String>,
    /// The runners, one after the other; browser-wasm and browser-webgpu may be named too.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "rust,python,node")]
    pub only: Vec<String>,
    /// Add a runner: a name and the command that starts it. It takes part in any case.
    #[arg(long, value_name = "NAME=COMMAND")]
    pub runner: Vec<String>,
    /// Lanes to time, one after the other.
    #[arg(
        long,
        value_name = "COUNT",
        value_delimiter = ',',
        default_value = "1,8,64",
        value_parser = clap::value_parser!(u32).range(1..=MAX_LANES as i64)
    )]
    pub lanes: Vec<u32>,
    /// Tokens of each lane.
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 16))]
    pub lane_tokens: usize,
    /// The least tokens of all lanes together.
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 20))]
    pub least_tokens: usize,
    /// How often everything is timed; the table has the medians.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// The text to compress; models/tiny/samples/prose-45k.txt unless given.
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Write the rows as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// How a runner is told to compute.
    #[command(flatten)]
    pub compute: ComputeArguments,
    /// How long a runner is waited for.
    #[command(flatten)]
    pub timeouts: TimeoutArguments,
}
