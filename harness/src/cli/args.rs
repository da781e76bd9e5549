//! Owns the grammar of the command line, as the user types it.

mod bench;
mod golden;
mod models;
mod timeouts;
mod tokenizers;
mod transfer;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub use self::bench::BenchArguments;
pub use self::golden::{GoldenArguments, GoldenCheckArguments, GoldenCommand, GoldenWriteArguments};
pub use self::models::{ModelsArguments, ModelsCommand, ModelsFetchArguments, ModelsImportArguments};
pub use self::timeouts::TimeoutArguments;
pub use self::tokenizers::TokenizersArguments;
pub use self::transfer::{CompressArguments, DecompressArguments, FileArguments, InfoArguments};
use crate::model::provider::{CPU, PROVIDERS};
use crate::setup::EMULATED_CPUS;

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
    /// Compress any file.
    Compress(CompressArguments),
    /// Decompress a container.
    Decompress(DecompressArguments),
    /// Print what a container tells without its model, and check what can be checked.
    Info(InfoArguments),
    /// Print what a graph declares.
    Inspect(InspectArguments),
    /// Run every runner on the same model and compare tokens, log-probs and round trips.
    Conform(Box<ConformArguments>),
    /// Time compression and decompression beside the session alone, in every language.
    Bench(BenchArguments),
    /// Hold this machine to what the models gave elsewhere, or record it anew.
    Golden(GoldenArguments),
    /// Ask every runner for the tokens of many texts, and compare.
    Tokenizers(TokenizersArguments),
    /// Get the models of models/manifest.toml, and check what is there of them.
    Models(ModelsArguments),
    /// Make a verified 4-bit model of a checkpoint: `SOURCE --out DIR`, an exact graph: `--exact SOURCE`, or `--help` for more.
    #[command(disable_help_flag = true)]
    Quantize(PythonArguments),
    /// Tell whether a graph gives the same bits in every engine: `check MODEL`, or `--help` for more.
    #[command(disable_help_flag = true)]
    Exact(PythonArguments),
    /// Serve the page that compresses in a browser, with a model, to this machine alone; Ctrl-C ends it.
    Serve(ServeArguments),
    /// Make the Python and Node environments; `conform` does it by itself.
    Setup(SetupArguments),
    /// Say what is there, what is missing and how to get it.
    Doctor,
    /// Answer requests of the runner protocol on stdin and stdout.
    Runner(RunnerArguments),
    /// Try a runner: every operation once, each answer checked.
    Smoke(SmokeArguments),
}

/// How this program is a runner.
#[derive(Debug, Args)]
pub struct RunnerArguments {
    /// What runs the graph; rten takes exact graphs only.
    #[arg(long, value_enum, default_value_t = RunnerEngine::Onnxruntime)]
    pub engine: RunnerEngine,
}

/// The engines that this program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RunnerEngine {
    /// ONNX Runtime, the library that set-up found.
    Onnxruntime,
    /// rten, which is linked in.
    Rten,
}

/// Words for the Python package, which knows them.
#[derive(Debug, Args)]
pub struct PythonArguments {
    /// What is handed on.
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// Which model, and how it is run.
#[derive(Debug, Args)]
pub struct ModelArguments {
    /// A model of models/manifest.toml, or a folder; unless given that of LLMZIP_MODEL, else tiny, or the one that a container names.
    #[arg(long, value_name = "NAME|DIR")]
    pub model: Option<String>,
    /// How it is computed.
    #[command(flatten)]
    pub compute: ComputeArguments,
}

/// How many lanes are fed at once.
#[derive(Debug, Args)]
pub struct BatchArguments {
    /// The most lanes that are fed at once, at most 256; unless given, as many as have caches of 192 MiB together, or one where the graph takes no more.
    #[arg(long, value_name = "COUNT")]
    pub batch: Option<usize>,
}

/// How a graph is computed.
#[derive(Debug, Args)]
pub struct ComputeArguments {
    /// Threads inside an operator, and in Rust of the codec between passes as well.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: u32,
    /// The execution provider of ONNX Runtime.
    #[arg(long, value_name = "NAME", default_value = CPU, value_parser = provider_names(), hide_possible_values = true)]
    pub provider: String,
}

fn provider_names() -> PossibleValuesParser {
    PossibleValuesParser::new(PROVIDERS.map(|provider| provider.name))
}

/// Which graph of a model.
#[derive(Debug, Args)]
pub struct VariantArguments {
    /// The model's variant; exact, else q4f16, else the first, unless given.
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// Hold the model's files to the SHA-256s of the manifest beside its folder.
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set
    )]
    pub verify_sha: bool,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// Which model, and how it is run.
    #[command(flatten)]
    pub model: ModelArguments,
    /// Which graph of the model.
    #[command(flatten)]
    pub variant: VariantArguments,
    /// Print JSON, as the runner protocol has it.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// A model of models/manifest.toml, or a folder; unless given that of LLMZIP_MODEL, else tiny.
    #[arg(long, value_name = "NAME|DIR")]
    pub model: Option<String>,
    /// The variant that the page compresses with unless another is chosen there; exact, else q4f16, else the first, unless given.
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// The port on 127.0.0.1; 0 is any that is free, 5569 unless given. What a browser keeps of the page belongs to its port.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// Arguments of `smoke`.
#[derive(Debug, Args)]
pub struct SmokeArguments {
    /// A model of models/manifest.toml, or a folder of it.
    #[arg(long, value_name = "NAME|DIR", default_value = "tiny")]
    pub model: String,
    /// The model's variant; exact, else q4f16, else the first, unless given.
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// How the runner is told to compute.
    #[command(flatten)]
    pub compute: ComputeArguments,
    /// How long a runner is waited for.
    #[command(flatten)]
    pub timeouts: TimeoutArguments,
    /// The command that starts the runner, as words or as one quoted line.
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<String>,
}

/// Arguments of `conform`.
#[derive(Debug, Args)]
pub struct ConformArguments {
    /// A model of models/manifest.toml, or a folder; may be given more than once.
    #[arg(long, value_name = "NAME", default_value = "tiny")]
    pub model: Vec<String>,
    /// Run only these variants (such as q4); exact and q4f16 unless given, all with --thorough.
    #[arg(long, value_name = "NAME")]
    pub variant: Vec<String>,
    /// Run only these runners: rust, python, node, browser-wasm, browser-webgpu, rust-rten, or one added by --runner or --emulate.
    /// browser-webgpu runs only where --only or --require names it; all runners then get only the first 40 tokens of 1..1000 and
    /// the first 40 bytes of an input, unless --tokens or --thorough says otherwise.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Fail if one of these runners does not take part; rust, python and node, as far as --only has them, unless given.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub require: Vec<String>,
    /// Add a runner: a name and the command that starts it.
    #[arg(long, value_name = "NAME=COMMAND")]
    pub runner: Vec<String>,
    /// Add the Python runner on processors that qemu-user emulates, as python-CPU. As they are slow, all runners then get
    /// only the first 600 tokens of 1..1000 and the first 512 bytes of an input, unless --tokens or --thorough says
    /// otherwise, and the time limits of the emulated ones are ten times as long.
    #[arg(long, value_name = "CPU", value_delimiter = ',', value_parser = PossibleValuesParser::new(EMULATED_CPUS.iter().map(|cpu| cpu.name)))]
    pub emulate: Vec<String>,
    /// Predict only the first tokens of 1..1000.
    #[arg(long, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub tokens: Option<usize>,
    /// Also round-trip 100 KB of text.
    #[arg(long)]
    pub thorough: bool,
    /// How a runner is told to compute.
    #[command(flatten)]
    pub compute: ComputeArguments,
    /// How far ONNX Runtime may rewrite the graph.
    #[arg(long, value_name = "LEVEL", default_value = "all", value_parser = ["disabled", "basic", "extended", "all"])]
    pub graph_optimization: String,
    /// How long a runner is waited for.
    #[command(flatten)]
    pub timeouts: TimeoutArguments,
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

/// Arguments of `setup`.
#[derive(Debug, Args)]
pub struct SetupArguments {
    /// Also install what the tests and checks of py-runner need.
    #[arg(long)]
    pub dev: bool,
}
