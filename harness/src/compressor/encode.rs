//! Owns the writer: bytes in, a container out.

use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use super::frames::Frames;
use super::threads::{Trees, map_in_threads};
use super::{Lanes, ModelIdentity, OnProgress, Progress, TokenDigest};
use crate::codec::block::{WRITER_OFFSETS, candidate_costs, cheapest_parameters, encode_lane};
use crate::codec::lane_paths::LanePaths;
use crate::container::eps::Eps;
use crate::container::layout::{CodedFrame, End, Preamble, StoredFrame};
use crate::container::runs::{Split, split_runs};
use crate::model::context::{ContextPolicy, Plan, lane_ranges, rows_of_known_tokens};
use crate::model::provenance::Hash;
use crate::model::source::{LogitsSource, TextTokenizer};
use crate::{Error, ErrorCode, Result};

/// What a writer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressOptions {
    /// The files behind the logits and the tokenizer.
    pub model: ModelIdentity,
    /// Lanes per frame.
    pub lanes: Lanes,
    /// How far a reader's log-probs may lie from the writer's.
    pub eps: Eps,
    /// What the model is fed.
    pub context: ContextPolicy,
    /// Plain bytes per frame, `1 ..= 2^24`.
    pub frame_bytes: usize,
    /// What computes the logits: at most 32 printable ASCII characters without spaces, `ort-VERSION/ARCH`.
    pub fingerprint: String,
}

impl CompressOptions {
    /// Plain bytes per frame unless told otherwise.
    pub const DEFAULT_FRAME_BYTES: usize = 1 << 20;

    /// Holds the choices to their limits, and to what the source can do.
    ///
    /// # Errors
    /// `usage`; `unsupported` for eps 0 with a source that is not exact.
    pub(crate) fn check<S: LogitsSource + ?Sized>(&self, source: &S) -> Result<()> {
        self.lanes.check()?;
        if self.eps.value() == 0.0 {
            source.exactness().require()?;
        }
        self.context.check(source.vocab_size())
    }
}

/// What a writer did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompressSummary {
    /// How many bytes came in.
    pub plain_bytes: u64,
    /// Their SHA-256.
    pub plain_sha256: Hash,
    /// The length of the container.
    pub container_bytes: u64,
    /// The sum of the lengths of all lane streams.
    pub stream_bytes: u64,
    /// How many tokens the coded frames have.
    pub tokens: u64,
    /// The SHA-256 of those tokens, as u32, little-endian.
    pub tokens_sha256: Hash,
    /// The sum of their negative log-probs, in bits.
    pub entropy_bits: f64,
}

/// Compresses all of `input` into a container on `output`.
///
/// # Errors
/// `usage` for options outside their limits, `unsupported` for eps 0 with a source that is not exact, `vocabulary` when the tokenizer's
/// ids are not the source's, `io`, and those of the source, the tokenizer and `on_progress`. What was written until then is no container.
pub fn compress<S, T>(
    input: impl Read,
    output: impl Write,
    source: &mut S,
    tokenizer: &T,
    options: &CompressOptions,
    on_progress: OnProgress<'_>,
) -> Result<CompressSummary>
where
    S: LogitsSource + ?Sized,
    T: TextTokenizer + ?Sized,
{
    options.check(source)?;
    let preamble = Preamble {
        model_sha256: options.model.model_sha256,
        tokenizer_sha256: options.model.tokenizer_sha256,
        vocab_size: source.vocab_size(),
        eps: options.eps,
        offsets: WRITER_OFFSETS,
        context: options.context,
        fingerprint: options.fingerprint.clone(),
    };
    preamble.check()?;
    let mut frames = Frames::new(input, options.frame_bytes)?;
    let mut writer = Writer {
        output,
        container_bytes: 0,
    };
    writer.write(&preamble.write())?;
    let mut encoder = FrameEncoder {
        trees: Trees::new(source.vocab_size(), source.threads()),
        source,
        tokenizer,
        options,
        progress: Progress::default(),
        on_progress,
    };
    let mut plain_bytes = 0;
    let mut plain_sha256 = Sha256::new();
    let mut tokens = TokenDigest::default();
    let (mut stream_bytes, mut entropy_bits) = (0, 0.0);
    while let Some(plain) = frames.next()? {
        plain_bytes += plain.len() as u64;
        plain_sha256.update(&plain);
        if let Some(coded) = encoder.encode(&plain)? {
            stream_bytes += coded.stream_bytes;
            entropy_bits += coded.entropy_bits;
            tokens.update(&coded.tokens);
            writer.write(&coded.bytes)?;
        } else {
            writer.write(&StoredFrame::write(&plain))?;
        }
    }
    let plain_sha256 = Hash(plain_sha256.finalize().into());
    writer.write(&End { plain_sha256 }.write())?;
    writer.output.flush().map_err(|error| cannot_write(&error))?;
    let (tokens, tokens_sha256) = tokens.finish();
    Ok(CompressSummary {
        plain_bytes,
        plain_sha256,
        container_bytes: writer.container_bytes,
        stream_bytes,
        tokens,
        tokens_sha256,
        entropy_bits,
    })
}

/// Inputs that are fed in one pass where the plan is the writer's own.
const CHUNK: usize = 256;

/// How a writer feeds known tokens: where `eps` covers what that may change, one lane after another, many inputs in one pass; else as
/// the reader will have to, so that logits within one build are the same bits on both sides.
pub(crate) fn writer_plan<S: LogitsSource + ?Sized>(source: &S, lanes: usize, eps: Eps) -> Plan {
    if source.plan_tolerance().is_some_and(|nats| eps.value() >= nats) {
        // A lane at a time: a cache of one lane is the smallest, and kernels for grouped queries take many inputs of one lane only.
        Plan {
            lanes,
            chunk: CHUNK,
            batch: 1,
        }
    } else {
        Plan::new(lanes, 1)
    }
}

struct Writer<W> {
    output: W,
    container_bytes: u64,
}

impl<W: Write> Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.container_bytes += bytes.len() as u64;
        self.output.write_all(bytes).map_err(|error| cannot_write(&error))
    }
}

pub(super) fn cannot_write(error: &std::io::Error) -> Error {
    Error::new(ErrorCode::Io, format!("cannot write the output: {error}"))
        .with_hint("see that the disk has room and that the place is writable")
}

/// A frame as it goes into the container.
struct Coded {
    bytes: Vec<u8>,
    tokens: Vec<u32>,
    stream_bytes: u64,
    entropy_bits: f64,
}

struct FrameEncoder<'a, S: ?Sized, T: ?Sized> {
    trees: Trees,
    source: &'a mut S,
    tokenizer: &'a T,
    options: &'a CompressOptions,
    progress: Progress,
    on_progress: OnProgress<'a>,
}

impl<S, T> FrameEncoder<'_, S, T>
where
    S: LogitsSource + ?Sized,
    T: TextTokenizer + ?Sized,
{
    /// The coded frame of plain bytes, or `None` where storing them is no longer.
    fn encode(&mut self, plain: &[u8]) -> Result<Option<Coded>> {
        let Split { runs, tokens, literals } = split_runs(plain, self.tokenizer)?;
        if tokens.is_empty() || tokens.len() > plain.len() {
            return Ok(None);
        }
        let (lanes, entropy_bits) = self.lane_paths(&tokens)?;
        let (eps, vocab_size) = (self.options.eps.value(), self.source.vocab_size());
        let mut threads = vec![(); self.source.threads().clamp(1, lanes.len())];
        let costs = map_in_threads(&mut threads, lanes.iter().collect(), |(), lane| {
            Ok(candidate_costs(lane, eps, WRITER_OFFSETS, vocab_size))
        })?;
        let parameters = cheapest_parameters(&costs, eps);
        let streams = map_in_threads(&mut threads, lanes.iter().collect(), |(), lane| {
            Ok(encode_lane(lane, parameters, eps, WRITER_OFFSETS, vocab_size))
        })?;
        let stream_bytes = streams.iter().map(|stream| stream.len() as u64).sum();
        let frame = CodedFrame {
            plain_length: plain.len(),
            plain_crc32: crc32fast::hash(plain),
            token_count: tokens.len(),
            runs,
            literals,
            parameters,
            streams,
        };
        let bytes = frame.write();
        let is_shorter = bytes.len() < StoredFrame::write(plain).len();
        Ok(is_shorter.then_some(Coded {
            bytes,
            tokens,
            stream_bytes,
            entropy_bits,
        }))
    }

    /// The decisions of all tokens by lane, and the tokens' entropy.
    fn lane_paths(&mut self, tokens: &[u32]) -> Result<(Vec<LanePaths>, f64)> {
        let Self {
            trees,
            progress,
            on_progress,
            ..
        } = self;
        progress.total += tokens.len() as u64;
        let plan = writer_plan(self.source, self.options.lanes.of(tokens.len()), self.options.eps);
        let ranges = lane_ranges(tokens.len(), plan.lanes);
        let mut lanes = vec![LanePaths::default(); ranges.len()];
        // By lane, so that the sum does not depend on the plan.
        let mut nats = vec![0.0; ranges.len()];
        rows_of_known_tokens(self.source, self.options.context, plan, tokens, |rows| {
            let found = map_in_threads(trees.for_rows(rows.len()), rows.to_vec(), |tree, placed| {
                let id = tokens[ranges[placed.lane].start + placed.index];
                tree.take_row(placed.row)?;
                let mut path = LanePaths::default();
                path.push(tree, id);
                Ok((path, tree.log_prob(id)))
            })?;
            for (placed, (path, log_prob)) in rows.iter().zip(&found) {
                lanes[placed.lane].append(path);
                nats[placed.lane] -= log_prob;
                progress.done += 1;
                on_progress(*progress)?;
            }
            Ok(())
        })?;
        Ok((lanes, nats.iter().sum::<f64>() / std::f64::consts::LN_2))
    }
}
