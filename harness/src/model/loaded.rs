//! Owns the loading of a whole model: graph, tokenizer and configuration, verified, with the fingerprint of what is really
//! used. It knows nothing of what the model is used for.

use std::path::{Path, PathBuf};

use super::config::ModelConfig;
use super::fingerprint::Fingerprint;
use super::model_files::ModelFiles;
use super::provenance::{Hash, ModelChoice, VerifiedBytes};
use super::runtime::{self, Runtime};
use super::session::{OrtSession, SessionOptions};
use super::source::GraphSession;
use super::tokenizer::Tokenizer;
use super::witness::{self, RtenSession};
use crate::Result;

/// What runs a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// ONNX Runtime, as the shared library at this path.
    OnnxRuntime(PathBuf),
    /// rten, which is linked in and runs exact graphs only.
    Rten,
}

impl Engine {
    /// Its name in fingerprints.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OnnxRuntime(_) => runtime::NAME,
            Self::Rten => witness::RUNTIME,
        }
    }
}

/// What to load, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// What runs the graph.
    pub engine: Engine,
    /// The folder that holds `config.json` and `tokenizer.json`.
    pub model_dir: PathBuf,
    /// The ONNX file, relative to the folder.
    pub model_file: String,
    /// The SHA-256 that the model must have, if one is known: of the ONNX file and its files of weights (FORMAT.md, section 2).
    pub model_sha256: Option<Hash>,
    /// The SHA-256 that `tokenizer.json` must have, if one is known.
    pub tokenizer_sha256: Option<Hash>,
    /// The SHA-256 that `config.json` must have, if one is known.
    pub config_sha256: Option<Hash>,
    /// How the session computes.
    pub session: SessionOptions,
}

impl LoadOptions {
    /// Options for a model that was found, in ONNX Runtime, with one thread and full graph optimisation.
    #[must_use]
    pub fn new(runtime_library: &Path, choice: &ModelChoice) -> Self {
        Self {
            engine: Engine::OnnxRuntime(runtime_library.to_owned()),
            model_dir: choice.model_dir.clone(),
            model_file: choice.model_file.clone(),
            model_sha256: choice.model_sha256,
            tokenizer_sha256: choice.tokenizer_sha256,
            config_sha256: choice.config_sha256,
            session: SessionOptions::default(),
        }
    }
}

/// A model that is ready.
#[derive(Debug)]
pub struct LoadedModel {
    /// The graph.
    pub session: Box<dyn GraphSession>,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The model's SHA-256.
    pub model_sha256: Hash,
    /// The SHA-256 of the bytes of `tokenizer.json`.
    pub tokenizer_sha256: Hash,
    /// What computes here.
    pub fingerprint: Fingerprint,
}

impl LoadedModel {
    /// Loads a model. Everything is verified before anything is run: the bytes that were hashed are the bytes that are used.
    ///
    /// # Errors
    /// `setup` for missing files or a missing runtime, `io` for unreadable files, `integrity` for another SHA-256, `vocabulary`
    /// when graph, configuration and tokenizer do not belong together, `model` for a graph that cannot be driven, `unsupported`
    /// for another provider, and for a graph that the engine does not run.
    pub fn load(options: &LoadOptions) -> Result<Self> {
        let model_path = options.model_dir.join(&options.model_file);
        let model = ModelFiles::read(&model_path, options.model_sha256)?;
        let tokenizer_file = VerifiedBytes::read(&options.model_dir.join("tokenizer.json"), options.tokenizer_sha256)?;
        let config_file = VerifiedBytes::read(&options.model_dir.join("config.json"), options.config_sha256)?;
        let config = ModelConfig::parse(&config_file.bytes)?;
        let tokenizer = Tokenizer::parse(&tokenizer_file.bytes)?;
        config.check_tokenizer(tokenizer.size())?;
        let (session, version): (Box<dyn GraphSession>, _) = match &options.engine {
            Engine::OnnxRuntime(library) => {
                let runtime = Runtime::open(library)?;
                let session = OrtSession::load(runtime, &model, &config, &options.session)?;
                (Box::new(session), runtime.version())
            }
            Engine::Rten => {
                let session = RtenSession::load(&model, &config, &options.session)?;
                (Box::new(session), witness::RUNTIME_VERSION)
            }
        };
        let fingerprint = Fingerprint {
            runtime: Some(options.engine.name().to_owned()),
            runtime_version: Some(version.to_owned()),
            provider: Some(options.session.provider.clone()),
            threads: Some(options.session.threads),
            graph_optimization: Some(options.session.graph_optimization),
            ..Fingerprint::of_process()
        };
        Ok(Self {
            session,
            tokenizer,
            model_sha256: model.sha256,
            tokenizer_sha256: tokenizer_file.sha256,
            fingerprint,
        })
    }
}
