//! Owns the grammar of `llmzip compress`, `decompress` and `info`.

use std::path::PathBuf;

use clap::Args;

use super::{BatchArguments, ModelArguments, VariantArguments};
use crate::compressor::{CompressOptions, Lanes};

/// What is read and what is written.
#[derive(Debug, Args)]
pub struct FileArguments {
    /// The file to read; - is stdin.
    #[arg(value_name = "INPUT")]
    pub input: PathBuf,
    /// The file to write; - is stdout. Unless given: INPUT with .llmzip after it, or without it for `decompress`; stdout for stdin.
    #[arg(long, short, value_name = "OUTPUT")]
    pub output: Option<PathBuf>,
    /// Replace OUTPUT if it is already there; write a container to a terminal.
    #[arg(long, short)]
    pub force: bool,
    /// Leave INPUT where it is, as it does unless told otherwise.
    #[arg(long, short, overrides_with = "remove")]
    pub keep: bool,
    /// Remove INPUT once OUTPUT is complete; nothing is removed where INPUT is stdin or OUTPUT no file.
    #[arg(long = "rm", overrides_with = "keep")]
    pub remove: bool,
}

/// Arguments of `compress`.
#[derive(Debug, Args)]
pub struct CompressArguments {
    /// What is read and what is written.
    #[command(flatten)]
    pub files: FileArguments,
    /// Which model, and how it is run.
    #[command(flatten)]
    pub model: ModelArguments,
    /// Which graph of the model.
    #[command(flatten)]
    pub variant: VariantArguments,
    /// How many lanes are fed at once.
    #[command(flatten)]
    pub batch: BatchArguments,
    /// Lanes that decode side by side: a number, at most 256, or auto, by the length of each frame.
    #[arg(long, value_name = "COUNT|auto", default_value_t = Lanes::Auto)]
    pub lanes: Lanes,
    /// The largest difference of a log-prob that a reader may have; the manifest's unless given.
    #[arg(long, value_name = "EPS")]
    pub eps: Option<String>,
    /// Plain bytes of a frame, at most 16777216.
    #[arg(long, value_name = "COUNT", default_value_t = CompressOptions::DEFAULT_FRAME_BYTES)]
    pub frame_bytes: usize,
    /// Decode what was written, and compare it with INPUT, before OUTPUT takes its name.
    #[arg(long)]
    pub verify: bool,
}

/// Arguments of `decompress`.
#[derive(Debug, Args)]
pub struct DecompressArguments {
    /// What is read and what is written.
    #[command(flatten)]
    pub files: FileArguments,
    /// Which model, and how it is run.
    #[command(flatten)]
    pub model: ModelArguments,
    /// How many lanes are fed at once.
    #[command(flatten)]
    pub batch: BatchArguments,
}

/// Arguments of `info`.
#[derive(Debug, Args)]
pub struct InfoArguments {
    /// The container to read; - is stdin.
    #[arg(value_name = "FILE")]
    pub input: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
