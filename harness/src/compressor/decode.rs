//! Owns the reader: a container in, bytes out, none of them before they are known to be right.

use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use super::encode::cannot_write;
use super::threads::{Trees, map_in_threads};
use super::{ModelIdentity, OnProgress, Progress, TokenDigest};
use crate::codec::block::LaneDecoder;
use crate::container::layout::{CodedFrame, Frame, Preamble};
use crate::container::reader::ContainerReader;
use crate::container::runs::join_runs;
use crate::model::context::{PlacedRow, decode_in_lockstep};
use crate::model::provenance::Hash;
use crate::model::source::{LogitsSource, TextTokenizer};
use crate::{Error, ErrorCode, Result};

/// What a reader did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecompressSummary {
    /// How many bytes came out.
    pub plain_bytes: u64,
    /// Their SHA-256, which is the container's.
    pub plain_sha256: Hash,
    /// How many tokens the coded frames have.
    pub tokens: u64,
    /// The SHA-256 of those tokens, as u32, little-endian.
    pub tokens_sha256: Hash,
}

/// Decompresses a container to `output`. A frame's bytes are written once its crc32 is verified; whoever wants the whole file or
/// nothing gives the output its name after this has returned.
///
/// # Errors
/// `integrity` when the container is another model's or tokenizer's, `vocabulary` when its vocabulary is not the source's, `unsupported`
/// when its eps is 0 and the source is not exact, `format` when it is damaged, `divergence` when it is intact but the source's logits
/// are not the writer's, `io`, and those of the source, the tokenizer and `on_progress`.
pub fn decompress<R, S, T>(
    mut container: ContainerReader<R>,
    mut output: impl Write,
    source: &mut S,
    tokenizer: &T,
    model: &ModelIdentity,
    on_progress: OnProgress<'_>,
) -> Result<DecompressSummary>
where
    R: Read,
    S: LogitsSource + ?Sized,
    T: TextTokenizer + ?Sized,
{
    let preamble = container.preamble().clone();
    check_model(&preamble, model, source.vocab_size())?;
    if preamble.eps.value() == 0.0 {
        source.exactness().require()?;
    }
    let mut decoder = FrameDecoder {
        preamble: &preamble,
        trees: Trees::new(preamble.vocab_size, source.threads()),
        source,
        tokenizer,
        tokens: TokenDigest::default(),
        progress: Progress::default(),
        on_progress,
    };
    let mut plain_bytes = 0;
    let mut plain_sha256 = Sha256::new();
    let mut frames = 0;
    let expected = loop {
        frames += 1;
        let plain = match container.next_frame()? {
            Frame::Coded(frame) => decoder.decode(frame, frames)?,
            Frame::Stored(frame) => frame.plain,
            Frame::End(end) => break end.plain_sha256,
        };
        plain_bytes += plain.len() as u64;
        plain_sha256.update(&plain);
        output.write_all(&plain).map_err(|error| cannot_write(&error))?;
    };
    let plain_sha256 = Hash(plain_sha256.finalize().into());
    if plain_sha256 != expected {
        return Err(Error::format(format!(
            "the SHA-256 of the {plain_bytes} plain bytes is {plain_sha256} and not {expected}"
        )));
    }
    output.flush().map_err(|error| cannot_write(&error))?;
    let (tokens, tokens_sha256) = decoder.tokens.finish();
    Ok(DecompressSummary {
        plain_bytes,
        plain_sha256,
        tokens,
        tokens_sha256,
    })
}

/// Holds a container to the model at hand.
fn check_model(preamble: &Preamble, model: &ModelIdentity, vocab_size: usize) -> Result<()> {
    let same = [
        ("model", preamble.model_sha256, model.model_sha256),
        ("tokenizer", preamble.tokenizer_sha256, model.tokenizer_sha256),
    ];
    for (what, wanted, found) in same {
        if wanted != found {
            return Err(Error::new(
                ErrorCode::Integrity,
                format!("the container was written with the {what} of SHA-256 {wanted}, this {what} has {found}"),
            )
            .with_hint("give the model that the container was written with"));
        }
    }
    if preamble.vocab_size != vocab_size {
        return Err(Error::new(
            ErrorCode::Vocabulary,
            format!(
                "the container is of a vocabulary of {}, the graph of one of {vocab_size}",
                preamble.vocab_size
            ),
        ));
    }
    Ok(())
}

struct FrameDecoder<'a, S: ?Sized, T: ?Sized> {
    preamble: &'a Preamble,
    trees: Trees,
    source: &'a mut S,
    tokenizer: &'a T,
    tokens: TokenDigest,
    progress: Progress,
    on_progress: OnProgress<'a>,
}

impl<S, T> FrameDecoder<'_, S, T>
where
    S: LogitsSource + ?Sized,
    T: TextTokenizer + ?Sized,
{
    /// The plain bytes of frame `number` (from 1), verified.
    fn decode(&mut self, frame: CodedFrame, number: u64) -> Result<Vec<u8>> {
        let Self {
            preamble,
            trees,
            progress,
            on_progress,
            ..
        } = self;
        let (eps, offsets) = (preamble.eps.value(), preamble.offsets);
        let mut lanes: Vec<LaneDecoder> = frame
            .streams
            .into_iter()
            .map(|stream| LaneDecoder::new(stream, frame.parameters, eps, offsets))
            .collect();
        let lane_count = lanes.len();
        progress.total += frame.token_count as u64;
        let next_tokens = |rows: &[PlacedRow<'_>]| {
            let first = rows.first().map_or(0, |row| row.lane);
            let decoders = rows.iter().zip(&mut lanes[first..]).collect();
            let ids = map_in_threads(trees.for_rows(rows.len()), decoders, |tree, (placed, decoder)| {
                tree.take_row(placed.row)?;
                decoder.decode(tree)
            })?;
            for _ in rows {
                progress.done += 1;
                on_progress(*progress)?;
            }
            Ok(ids)
        };
        let tokens = decode_in_lockstep(
            self.source,
            preamble.context,
            frame.token_count,
            lane_count,
            next_tokens,
        )
        .map_err(|error| match error.code {
            ErrorCode::Divergence => diverged(preamble, number, &error.message),
            _ => error,
        })?;
        let plain = join_runs(
            &frame.runs,
            &tokens,
            &frame.literals,
            self.tokenizer,
            frame.plain_length,
        )?;
        if plain.len() != frame.plain_length {
            let reason = format!("{} bytes instead of {}", plain.len(), frame.plain_length);
            return Err(diverged(preamble, number, &reason));
        }
        if crc32fast::hash(&plain) != frame.plain_crc32 {
            return Err(diverged(preamble, number, "bytes of another crc32"));
        }
        self.tokens.update(&tokens);
        Ok(plain)
    }
}

/// The streams were intact, so the logits were others.
fn diverged(preamble: &Preamble, number: u64, reason: &str) -> Error {
    let writer = if preamble.fingerprint.is_empty() {
        "an unnamed runtime"
    } else {
        &preamble.fingerprint
    };
    Error::new(
        ErrorCode::Divergence,
        format!(
            "frame {number} is intact but decodes wrongly ({reason}): this runtime's log-probs lie further than eps {} from those of its \
             writer, {writer}",
            preamble.eps
        ),
    )
    .with_hint("decode it on a runtime closer to the writer's, or compress with a larger eps")
}
