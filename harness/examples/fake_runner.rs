//! A runner without a model, for the harness's own tests: it answers every operation plausibly, or with one deliberate fault.
//! Tokens are bytes, logits are arithmetic on the position, and a "container" is the plain bytes behind a marker.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use llmzip::conform::inputs::{sha256, tokens_sha256};
use llmzip::model::source::LogitsType;
use llmzip::runner::protocol::{
    Bench, BenchResult, BenchTime, Compress, CompressResult, Decompress, DecompressResult, Detokenize,
    DetokenizeResult, Fingerprint, GraphOptimization, HelloResult, Load, LoadResult, Logprobs, LogprobsResult,
    PROTOCOL_VERSION, Progress, Skip, Tokenize, TokenizeResult,
};
use llmzip::runner::serve::{Handler, serve, take_stdout};
use llmzip::runner::{OnProgress, RawOutcome};
use llmzip::{Error, ErrorCode, Result};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const VOCAB_SIZE: u32 = 256;
/// The fractions of a nat that log-probs are rounded to.
const UNIT: f64 = (1_u64 << 40) as f64;
const OPERATIONS: [&str; 9] = [
    "hello",
    "load",
    "inspect",
    "tokenize",
    "detokenize",
    "logprobs",
    "compress",
    "decompress",
    "bye",
];
const MARKER: &[u8] = b"FAKE";
const BELL: u8 = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// None: an honest runner.
    None,
    /// One logit of the tenth row is off by 0.001.
    WrongLogit,
    /// One logit of the tenth row is off by a millionth.
    SlightLogit,
    /// One logit of the tenth row is NaN.
    NotFinite,
    /// The coded log-probs are off.
    WrongCoded,
    /// The sequence has another token.
    WrongToken,
    /// A text with a next line (U+0085) has another first token.
    MisreadsNextLine,
    /// A text with a next line (U+0085) is refused.
    RefusesNextLine,
    /// The same, with another error.
    DeniesNextLine,
    /// A text of 16 characters or more, or one very short text, has another first token.
    MisreadsMuch,
    /// The id 255, which no text gives, is decoded to another text.
    Misdecodes255,
    /// No id from 250 is a token.
    HasGap,
    /// Says that the tokenizer has more ids than there can be.
    HugeTokenizer,
    /// The bell (U+0007) does not come back from its token.
    ForgetsBell,
    /// The same, and its containers lose it too.
    LosesBell,
    /// The logits file is cut short.
    ShortFile,
    /// The logits file is not written.
    NoFile,
    /// Its container is not written.
    NoContainer,
    /// Its container is a link to a device that has no end.
    EndlessContainer,
    /// What it decompresses to is a pipe that nobody writes to.
    PipedPlain,
    /// Replies carry another id.
    WrongId,
    /// Replies are no JSON.
    Nonsense,
    /// Replies have another shape than the schema's.
    WrongShape,
    /// Says that it loaded another model.
    LiesAboutHash,
    /// Says that another provider runs it.
    OtherProvider,
    /// Says that it has other threads.
    OtherThreads,
    /// `inspect` says that another provider runs it.
    ViewOfProvider,
    /// `inspect` has an operation more often.
    ViewOfOps,
    /// `inspect` has another operation set.
    ViewOfOpset,
    /// `inspect` has another name for a symbolic dimension.
    ViewOfDims,
    /// `inspect` has another type of an element.
    ViewOfTypes,
    /// `inspect` leaves out an output.
    ViewOfOutputs,
    /// `inspect` has another batch policy.
    ViewOfBatch,
    /// Refuses the model's hash.
    Refuses,
    /// Answers `hello` as if it had been interrupted.
    Interrupted,
    /// Ends with code 3 when asked for log-probs.
    Dies,
    /// Never answers `logprobs`, and ignores the end of stdin and SIGTERM as far as it can.
    Hangs,
    /// Answers `logprobs` late, but tells of progress.
    SlowWithProgress,
    /// Never answers `logprobs`, but tells of progress that is none, without end.
    Treads,
    /// Writes to stdout between replies.
    PrintsToStdout,
    /// Writes megabytes to stderr.
    Talks,
    /// Sends a line without end.
    EndlessLine,
    /// Decompresses to other bytes.
    WrongBytes,
    /// Fails to decompress, with an error.
    FailsToRead,
    /// Skips `inspect` and `decompress`.
    Skips,
    /// Skips everything but `hello` and `bye`.
    SkipsAll,
    /// Has no `inspect` and no `decompress`, and says so.
    HasFew,
    /// Has no `load`, and says so.
    HasNoLoad,
    /// Skips `hello`.
    SkipsHello,
    /// Speaks another version of the protocol.
    OtherVersion,
    /// Has `bench` too, and answers it well.
    Times,
    /// Has `bench`, and says that more of the time than there was went by in the session.
    ImpossibleTimes,
    /// Has `bench`, and tells of no run.
    LosesRuns,
    /// Starts a process that outlives it, then dies.
    LeavesAChild,
}

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, value_enum, default_value = "none")]
    fault: Fault,
    /// Where a fault leaves a trace for the test.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// The version of the runtime that the fingerprint claims.
    #[arg(long, default_value = "1.0")]
    runtime_version: String,
    /// Says that its graph is exact.
    #[arg(long)]
    exact: bool,
}

struct Fake {
    arguments: Arguments,
    fault: Fault,
    raw: Box<dyn Write>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let stdout = take_stdout().and_then(|out| {
        let raw = out
            .try_clone()
            .map_err(|source| Error::io("duplicate", Path::new("stdout"), &source))?;
        Ok((out, raw))
    });
    let result = stdout.and_then(|(out, raw)| {
        let mut fake = Fake {
            fault: arguments.fault,
            arguments,
            raw: Box::new(raw),
        };
        let replies = Spoiled {
            fault: fake.fault,
            inner: out,
        };
        serve(&mut fake, io::stdin().lock(), replies)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(error.code.exit_code()),
    }
}

/// Spoils replies on their way out.
struct Spoiled<W> {
    fault: Fault,
    inner: W,
}

impl<W: Write> Write for Spoiled<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.fault {
            Fault::WrongId => {
                let mut line: Value = serde_json::from_slice(bytes)?;
                line["id"] = json!(4711);
                self.inner.write_all(format!("{line}\n").as_bytes())?;
            }
            Fault::Nonsense => self.inner.write_all(b"\x1b[31mnonsense\n")?,
            _ => self.inner.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn parse<T: DeserializeOwned>(params: Value) -> Result<T> {
    serde_json::from_value(params).map_err(|source| Error::new(ErrorCode::Usage, source.to_string()))
}

fn done(value: impl serde::Serialize) -> Result<RawOutcome> {
    serde_json::to_value(value)
        .map(RawOutcome::Done)
        .map_err(|source| Error::new(ErrorCode::Internal, source.to_string()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|source| Error::io("write", path, &source))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::io("read", path, &source))
}

impl Fake {
    fn operations(&self) -> impl Iterator<Item = &'static str> {
        let missing: &[&str] = match self.fault {
            Fault::HasFew => &["inspect", "decompress"],
            Fault::HasNoLoad => &["load"],
            _ => &[],
        };
        let times = matches!(self.fault, Fault::Times | Fault::ImpossibleTimes | Fault::LosesRuns);
        OPERATIONS
            .into_iter()
            .filter(move |op| !missing.contains(op))
            .chain(times.then_some("bench"))
    }

    fn fingerprint(&self) -> Fingerprint {
        let (provider, threads) = match self.fault {
            Fault::OtherProvider => ("cuda", 1),
            Fault::OtherThreads => ("cpu", 7),
            _ => ("cpu", 1),
        };
        Fingerprint {
            language: "fake".to_owned(),
            runtime: Some("arithmetic".to_owned()),
            runtime_version: Some(self.arguments.runtime_version.clone()),
            provider: Some(provider.to_owned()),
            threads: Some(threads),
            graph_optimization: Some(GraphOptimization::All),
            ..Fingerprint::default()
        }
    }

    fn view(&self) -> Value {
        let mut view = json!({
            "inputs": [{"name": "input_ids", "type": "int64", "shape": ["batch", "sequence"]}],
            "outputs": [{"name": "logits", "type": "float32", "shape": ["batch", "sequence", VOCAB_SIZE]}],
            "opset": {"": 21},
            "ops": {"Add": 1},
            "batch_policy": {"batch": "dynamic", "reason": "dimension 0 is symbolic everywhere"},
            "exactness": {"exact": self.arguments.exact, "reason": "a fake has no graph"},
            "provider": "cpu",
        });
        match self.fault {
            Fault::ViewOfProvider => view["provider"] = json!("cuda"),
            Fault::ViewOfOps => view["ops"]["Add"] = json!(2),
            Fault::ViewOfOpset => view["opset"][""] = json!(20),
            Fault::ViewOfDims => view["inputs"][0]["shape"][1] = json!("length"),
            Fault::ViewOfTypes => view["inputs"][0]["type"] = json!("int32"),
            Fault::ViewOfOutputs => view["outputs"] = json!([]),
            Fault::ViewOfBatch => view["batch_policy"]["batch"] = json!("static"),
            _ => {}
        }
        view
    }

    fn load(&self, request: Load) -> Result<RawOutcome> {
        if self.fault == Fault::Refuses {
            return Err(Error::new(ErrorCode::Integrity, "the model is another one").with_hint("fetch it again"));
        }
        let lie = self.fault == Fault::LiesAboutHash;
        let size = if self.fault == Fault::HugeTokenizer {
            u32::MAX
        } else {
            VOCAB_SIZE
        };
        done(LoadResult {
            model_sha256: if lie { "0".repeat(64) } else { request.model_sha256 },
            tokenizer_sha256: request.tokenizer_sha256,
            vocab_size: size,
            tokenizer_size: size,
            logits_type: LogitsType::Float32,
            fingerprint: self.fingerprint(),
        })
    }

    fn logprobs(&mut self, request: Logprobs, on_progress: OnProgress<'_>) -> Result<RawOutcome> {
        match self.fault {
            Fault::Dies => std::process::exit(3),
            Fault::Hangs => loop {
                thread::sleep(Duration::from_secs(1));
            },
            Fault::SlowWithProgress => {
                for done in 0..6 {
                    on_progress(Progress { done, total: 6 })?;
                    thread::sleep(Duration::from_millis(100));
                }
            }
            Fault::Treads => loop {
                on_progress(Progress { done: 3, total: 6 })?;
                thread::sleep(Duration::from_millis(20));
            },
            Fault::EndlessLine => {
                let block = vec![b'x'; 1 << 20];
                while self.raw.write_all(&block).is_ok() {}
            }
            Fault::LeavesAChild => {
                if let Some(trace) = &self.arguments.trace {
                    let child = std::process::Command::new("sleep").arg("600").spawn();
                    let id = child.map_or(0, |child| child.id());
                    write(trace, id.to_string().as_bytes())?;
                }
                std::process::exit(3);
            }
            _ => {}
        }
        let (mut logits, mut coded, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (row, &id) in request.ids.iter().enumerate() {
            let mut honest = Vec::new();
            for token in 0..VOCAB_SIZE {
                let position = u32::try_from(row).unwrap_or(u32::MAX);
                let mut logit = f32::from(u8::try_from((position * 31 + token * 7) % 97).unwrap_or(0)) / 16.0;
                honest.push(f64::from(logit));
                if row == 9 && token == 5 {
                    match self.fault {
                        Fault::WrongLogit => logit += 0.001,
                        Fault::SlightLogit => logit += 1e-6,
                        Fault::NotFinite => logit = f32::NAN,
                        _ => {}
                    }
                }
                logits.extend(logit.to_le_bytes());
            }
            // Rounded to what the exp and log of every platform agree on.
            let log_sum = (honest.iter().map(|logit| logit.exp()).sum::<f64>().ln() * UNIT).round() / UNIT;
            rows.extend(honest.iter().flat_map(|logit| (logit - log_sum).to_le_bytes()));
            let offset = if self.fault == Fault::WrongCoded { 1.0 } else { 0.0 };
            let log_prob = honest
                .get(id as usize)
                .map_or(f64::NAN, |logit| logit - log_sum - offset);
            coded.extend(log_prob.to_le_bytes());
        }
        if self.fault == Fault::ShortFile {
            logits.pop();
        }
        if self.fault != Fault::NoFile {
            write(&request.logits_file, &logits)?;
        }
        write(&request.coded_file, &coded)?;
        if let Some(file) = &request.rows_file {
            write(file, &rows)?;
        }
        done(LogprobsResult {
            rows: request.ids.len() as u64,
            vocab_size: VOCAB_SIZE,
            logits_type: LogitsType::Float32,
        })
    }

    fn compress(&self, request: &Compress) -> Result<RawOutcome> {
        let plain = read(&request.input_file)?;
        let container = [MARKER, &plain].concat();
        #[cfg(unix)]
        if self.fault == Fault::EndlessContainer {
            std::os::unix::fs::symlink("/dev/zero", &request.output_file)
                .map_err(|source| Error::io("link", &request.output_file, &source))?;
        }
        if ![Fault::EndlessContainer, Fault::NoContainer].contains(&self.fault) {
            write(&request.output_file, &container)?;
        }
        let ids: Vec<u32> = plain.iter().copied().map(u32::from).collect();
        done(CompressResult {
            plain_bytes: plain.len() as u64,
            plain_sha256: sha256(&plain),
            container_bytes: container.len() as u64,
            stream_bytes: plain.len() as u64,
            tokens: ids.len() as u64,
            tokens_sha256: tokens_sha256(&ids),
            entropy_bits: 8.0 * f64::from(u32::try_from(plain.len()).unwrap_or(0)),
        })
    }

    fn decompress(&self, request: &Decompress) -> Result<RawOutcome> {
        if self.fault == Fault::FailsToRead {
            return Err(Error::format("the container ends too early"));
        }
        let container = read(&request.input_file)?;
        let mut plain = container.strip_prefix(MARKER).unwrap_or_default().to_vec();
        let honest = plain.clone();
        if self.fault == Fault::WrongBytes {
            plain.push(b'!');
        }
        if self.fault == Fault::LosesBell {
            plain.retain(|&byte| byte != BELL);
        }
        if self.fault == Fault::PipedPlain {
            let made = std::process::Command::new("mkfifo").arg(&request.output_file).status();
            made.map_err(|source| Error::io("make", &request.output_file, &source))?;
        } else {
            write(&request.output_file, &plain)?;
        }
        let ids: Vec<u32> = honest.iter().copied().map(u32::from).collect();
        done(DecompressResult {
            plain_bytes: honest.len() as u64,
            plain_sha256: sha256(&honest),
            tokens: ids.len() as u64,
            tokens_sha256: tokens_sha256(&ids),
        })
    }
}

impl Fake {
    /// Times as if it had taken them.
    fn bench(&self, request: &Bench) -> Result<RawOutcome> {
        let bytes = read(&request.input_file)?.len() as u64;
        let time = BenchTime {
            elapsed_s: 2.0,
            session_s: if self.fault == Fault::ImpossibleTimes { 3.0 } else { 1.5 },
            passes_s: 1.0,
        };
        let runs = if self.fault == Fault::LosesRuns {
            0
        } else {
            request.runs
        };
        let times = vec![time; runs as usize];
        done(BenchResult {
            plain_bytes: bytes,
            container_bytes: bytes + MARKER.len() as u64,
            tokens: bytes,
            encode: times.clone(),
            decode: times,
        })
    }
}

impl Handler for Fake {
    fn handle(&mut self, op: &str, params: Value, on_progress: OnProgress<'_>) -> Result<RawOutcome> {
        match self.fault {
            Fault::PrintsToStdout if op == "tokenize" => {
                let _ = self.raw.write_all(b"Loading weights: 100%\n");
            }
            Fault::Talks => {
                let _ = io::stderr().write_all("all is well\n".repeat(100_000).as_bytes());
            }
            _ => {}
        }
        let skips = match self.fault {
            Fault::Skips => op == "inspect" || op == "decompress",
            Fault::SkipsAll => op != "hello" && op != "bye",
            Fault::SkipsHello => op == "hello",
            _ => false,
        };
        if skips {
            return Ok(RawOutcome::Skipped(Skip {
                reason: "not on a Sunday".to_owned(),
            }));
        }
        if !self.operations().any(|name| name == op) {
            let message = format!("there is no operation {op}");
            return Err(Error::new(ErrorCode::Unsupported, message));
        }
        if self.fault == Fault::WrongShape && op == "tokenize" {
            return done(json!({ "tokens": "many" }));
        }
        match op {
            "hello" if self.fault == Fault::Interrupted => Err(Error::new(ErrorCode::Interrupted, "interrupted")),
            "hello" => done(HelloResult {
                protocol: if self.fault == Fault::OtherVersion {
                    99
                } else {
                    PROTOCOL_VERSION
                },
                name: "fake".to_owned(),
                ops: self.operations().map(str::to_owned).collect(),
                fingerprint: self.fingerprint(),
            }),
            "load" => self.load(parse(params)?),
            "inspect" => done(self.view()),
            "tokenize" => {
                let request: Tokenize = parse(params)?;
                let mut ids: Vec<u32> = request.text.bytes().map(u32::from).collect();
                if let (Fault::WrongToken, Some(id)) = (self.fault, ids.last_mut()) {
                    *id += 1;
                }
                let next_line = request.text.contains('\u{85}');
                let misread = match self.fault {
                    Fault::MisreadsNextLine => next_line,
                    Fault::MisreadsMuch => request.text.chars().count() >= 16 || request.text == "№5",
                    _ => false,
                };
                if let (true, Some(id)) = (misread, ids.first_mut()) {
                    *id = (*id + 1) % VOCAB_SIZE;
                }
                match self.fault {
                    Fault::RefusesNextLine if next_line => return Err(Error::new(ErrorCode::Usage, "no next line")),
                    Fault::DeniesNextLine if next_line => return Err(Error::format("no next line")),
                    _ => {}
                }
                done(TokenizeResult { ids })
            }
            "detokenize" => {
                let request: Detokenize = parse(params)?;
                if self.fault == Fault::HasGap && request.ids.iter().any(|&id| id >= 250) {
                    return Err(Error::new(ErrorCode::Usage, "there is no such token"));
                }
                let mut bytes: Vec<u8> = request.ids.iter().map(|id| id.to_le_bytes()[0]).collect();
                if self.fault == Fault::Misdecodes255 && request.ids.contains(&255) {
                    bytes.push(b'!');
                }
                if matches!(self.fault, Fault::ForgetsBell | Fault::LosesBell) {
                    bytes.retain(|&byte| byte != BELL);
                }
                done(DetokenizeResult {
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                })
            }
            "logprobs" => self.logprobs(parse(params)?, on_progress),
            "compress" => self.compress(&parse(params)?),
            "decompress" => self.decompress(&parse(params)?),
            "bench" => self.bench(&parse(params)?),
            "bye" => done(json!({})),
            other => Err(Error::new(ErrorCode::Internal, format!("nothing carries out {other}"))),
        }
    }
}
