//! Owns what each operation of PROTOCOL.md does in Rust: it hands the request to the library and the answer back. It must not know
//! whether it is asked in process or through a pipe.

use std::io::Read as _;

use serde::Serialize;
use serde_json::Value;

use super::parameters::{check_absolute, check_model_file, check_runs, check_version, read};
use super::protocol::{
    Bench, BenchResult, BenchTime, Bye, ByeResult, Compress, CompressResult, Decompress, DecompressResult, Detokenize,
    DetokenizeResult, Hello, HelloResult, Inspect, Load, LoadResult, Logprobs, LogprobsResult, Operation,
    PROTOCOL_VERSION, Progress, Skip, Tokenize, TokenizeResult,
};
use super::serve::Handler;
use super::{OnProgress, RawOutcome};

use crate::archive::{ArchiveSettings, compress_with, decompress_with};
use crate::compressor::{Lanes, Progress as TokenProgress};
use crate::container::reader::ContainerReader;
use crate::files::{OutputFile, open_input};
use crate::logprobs::{LogProbFiles, write_log_probs};
use crate::model::context::{ContextPolicy, Plan};
use crate::model::fingerprint::Fingerprint;
use crate::model::loaded::{Engine, LoadOptions, LoadedModel};
use crate::model::session::SessionOptions;
use crate::model::source::TextTokenizer as _;
use crate::timing::{MAX_FRAME_BYTES, Timed, time_round_trips};
use crate::{Error, ErrorCode, Result, interrupt};

/// How many tokens go by between two messages of progress.
const PROGRESS_TOKENS: u64 = 256;

/// The operations over one model at a time.
#[derive(Debug)]
pub struct Operations {
    name: String,
    engine: Engine,
    model: Option<LoadedModel>,
}

impl Operations {
    /// No model is loaded yet.
    #[must_use]
    pub fn new(name: &str, engine: Engine) -> Self {
        Self {
            name: name.to_owned(),
            engine,
            model: None,
        }
    }

    fn model(&mut self) -> Result<&mut LoadedModel> {
        self.model.as_mut().ok_or_else(|| {
            Error::new(ErrorCode::Usage, "no model is loaded").with_hint("send `load` before this request")
        })
    }

    fn hello(&self) -> HelloResult {
        HelloResult {
            protocol: PROTOCOL_VERSION,
            name: self.name.clone(),
            ops: OPERATIONS.iter().map(ToString::to_string).collect(),
            fingerprint: Fingerprint {
                runtime: Some(self.engine.name().to_owned()),
                ..Fingerprint::of_process()
            },
        }
    }

    /// The witness takes part where it can: a graph that it does not run is none of its failures.
    fn load_or_skip(&mut self, request: Load) -> Result<RawOutcome> {
        match self.load(request) {
            Err(error) if self.engine == Engine::Rten && error.code == ErrorCode::Unsupported => {
                Ok(RawOutcome::Skipped(Skip { reason: error.message }))
            }
            result => done(result?),
        }
    }

    fn load(&mut self, request: Load) -> Result<LoadResult> {
        check_absolute([&request.model_dir])?;
        let model_file = check_model_file(&request.model_file)?;
        let (model_sha256, tokenizer_sha256) = (request.model_sha256.parse()?, request.tokenizer_sha256.parse()?);
        // The old model goes first: two at once may be more than the machine holds.
        self.model = None;
        let loaded = LoadedModel::load(&LoadOptions {
            engine: self.engine.clone(),
            model_dir: request.model_dir,
            model_file,
            model_sha256: Some(model_sha256),
            tokenizer_sha256: Some(tokenizer_sha256),
            config_sha256: None,
            session: SessionOptions {
                threads: request.threads,
                provider: request.provider,
                // Plans say how many lanes there are.
                batch: None,
                graph_optimization: request.graph_optimization,
            },
        })?;
        let result = LoadResult {
            model_sha256: loaded.model_sha256.to_string(),
            tokenizer_sha256: loaded.tokenizer_sha256.to_string(),
            vocab_size: count(loaded.session.vocab_size())?,
            tokenizer_size: count(loaded.tokenizer.size())?,
            logits_type: loaded.session.logits_type(),
            fingerprint: loaded.fingerprint.clone(),
        };
        self.model = Some(loaded);
        Ok(result)
    }

    fn logprobs(&mut self, request: &Logprobs, on_progress: OnProgress<'_>) -> Result<LogprobsResult> {
        check_absolute(
            [&request.logits_file, &request.coded_file]
                .into_iter()
                .chain(&request.rows_file),
        )?;
        let model = self.model()?;
        let plan = Plan::new(request.plan.lanes as usize, request.plan.chunk as usize);
        let policy = policy(request.start_token, request.window, request.overlap);
        let files = LogProbFiles {
            logits: &request.logits_file,
            coded: &request.coded_file,
            rows: request.rows_file.as_deref(),
        };
        let mut report = every(on_progress);
        write_log_probs(model.session.as_mut(), policy, plan, &request.ids, files, &mut report)?;
        Ok(LogprobsResult {
            rows: request.ids.len() as u64,
            vocab_size: count(model.session.vocab_size())?,
            logits_type: model.session.logits_type(),
        })
    }

    fn compress(&mut self, request: &Compress, on_progress: OnProgress<'_>) -> Result<CompressResult> {
        check_absolute([&request.input_file, &request.output_file])?;
        let model = self.model()?;
        let settings = ArchiveSettings {
            lanes: Lanes::Fixed(request.lanes as usize),
            eps: request.eps.parse()?,
            context: policy(request.start_token, request.window, request.overlap),
            frame_bytes: request.frame_bytes as usize,
        };
        let input = open_input(&request.input_file)?;
        let output = OutputFile::create(&request.output_file, true)?;
        let mut report = every(on_progress);
        let summary = compress_with(model, input, output, &settings, &mut |progress: TokenProgress| {
            report(progress.done, progress.total)
        })?;
        Ok(CompressResult {
            plain_bytes: summary.plain_bytes,
            plain_sha256: summary.plain_sha256.to_string(),
            container_bytes: summary.container_bytes,
            stream_bytes: summary.stream_bytes,
            tokens: summary.tokens,
            tokens_sha256: summary.tokens_sha256.to_string(),
            entropy_bits: summary.entropy_bits,
        })
    }

    fn decompress(&mut self, request: &Decompress, on_progress: OnProgress<'_>) -> Result<DecompressResult> {
        check_absolute([&request.input_file, &request.output_file])?;
        let model = self.model()?;
        let container = ContainerReader::open(open_input(&request.input_file)?)?;
        let output = OutputFile::create(&request.output_file, true)?;
        let mut report = every(on_progress);
        let summary = decompress_with(model, container, output, &mut |progress: TokenProgress| {
            report(progress.done, progress.total)
        })?;
        Ok(DecompressResult {
            plain_bytes: summary.plain_bytes,
            plain_sha256: summary.plain_sha256.to_string(),
            tokens: summary.tokens,
            tokens_sha256: summary.tokens_sha256.to_string(),
        })
    }

    fn bench(&mut self, request: &Bench, on_progress: OnProgress<'_>) -> Result<BenchResult> {
        check_absolute([&request.input_file])?;
        check_runs(request.runs)?;
        let model = self.model()?;
        let settings = ArchiveSettings {
            lanes: Lanes::Fixed(request.lanes as usize),
            eps: request.eps.parse()?,
            context: policy(request.start_token, request.window, request.overlap),
            frame_bytes: MAX_FRAME_BYTES,
        };
        let mut plain = Vec::new();
        // One byte more than can be timed, which is then refused.
        open_input(&request.input_file)?
            .take(MAX_FRAME_BYTES as u64 + 1)
            .read_to_end(&mut plain)
            .map_err(|source| Error::io("read", &request.input_file, &source))?;
        let mut report = every(on_progress);
        let timing = time_round_trips(
            model,
            &plain,
            &settings,
            request.runs as usize,
            &mut |progress: TokenProgress| report(progress.done, progress.total),
        )?;
        Ok(BenchResult {
            plain_bytes: timing.plain_bytes,
            container_bytes: timing.container_bytes,
            tokens: timing.tokens,
            encode: timing.encode.into_iter().map(bench_time).collect(),
            decode: timing.decode.into_iter().map(bench_time).collect(),
        })
    }
}

const fn bench_time(timed: Timed) -> BenchTime {
    BenchTime {
        elapsed_s: timed.elapsed,
        session_s: timed.session,
        passes_s: timed.passes,
    }
}

const OPERATIONS: [&str; 10] = [
    Hello::NAME,
    Load::NAME,
    Inspect::NAME,
    Tokenize::NAME,
    Detokenize::NAME,
    Logprobs::NAME,
    Compress::NAME,
    Decompress::NAME,
    Bench::NAME,
    Bye::NAME,
];

impl Handler for Operations {
    fn handle(&mut self, op: &str, params: Value, on_progress: OnProgress<'_>) -> Result<RawOutcome> {
        match op {
            Hello::NAME => {
                let Hello { protocol } = read(op, params)?;
                check_version(protocol)?;
                done(self.hello())
            }
            Load::NAME => self.load_or_skip(read(op, params)?),
            Inspect::NAME => {
                let Inspect {} = read(op, params)?;
                done(self.model()?.session.view()?)
            }
            Tokenize::NAME => {
                let Tokenize { text } = read(op, params)?;
                done(TokenizeResult {
                    ids: self.model()?.tokenizer.encode(&text)?,
                })
            }
            Detokenize::NAME => {
                let Detokenize { ids } = read(op, params)?;
                let tokenizer = &self.model()?.tokenizer;
                if let Some(id) = ids.iter().find(|id| !tokenizer.has(**id)) {
                    let message = format!("the tokenizer has no token of id {id}");
                    return Err(Error::new(ErrorCode::Usage, message).with_hint("give ids that `tokenize` gave"));
                }
                done(DetokenizeResult {
                    text: tokenizer.decode(&ids)?,
                })
            }
            Logprobs::NAME => done(self.logprobs(&read(op, params)?, on_progress)?),
            Compress::NAME => done(self.compress(&read(op, params)?, on_progress)?),
            Decompress::NAME => done(self.decompress(&read(op, params)?, on_progress)?),
            Bench::NAME => done(self.bench(&read(op, params)?, on_progress)?),
            Bye::NAME => {
                let Bye {} = read(op, params)?;
                done(ByeResult {})
            }
            other => Err(
                Error::new(ErrorCode::Unsupported, format!("there is no operation {other:?}"))
                    .with_hint(format!("the operations are: {}", OPERATIONS.join(", "))),
            ),
        }
    }
}

fn done(result: impl Serialize) -> Result<RawOutcome> {
    serde_json::to_value(result)
        .map(RawOutcome::Done)
        .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write a result: {source}")))
}

fn count(value: usize) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::new(ErrorCode::Model, format!("a vocabulary of {value} is too large")))
}

const fn policy(start_token: u32, window: u32, overlap: u32) -> ContextPolicy {
    ContextPolicy {
        start_token,
        window: window as usize,
        overlap: overlap as usize,
    }
}

/// Passes progress on, now and then: a message per token would be most of the work. Fails once the end was asked for.
fn every(on_progress: OnProgress<'_>) -> impl FnMut(u64, u64) -> Result<()> {
    move |done, total| {
        interrupt::check()?;
        if done.is_multiple_of(PROGRESS_TOKENS) {
            on_progress(Progress { done, total })
        } else {
            Ok(())
        }
    }
}
