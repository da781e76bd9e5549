//! What the tests of writer and reader share.

mod damage;
mod passes;
mod refusals;
mod round_trips;
mod streams;
mod threads;
mod verification;

use proptest::prelude::*;

use super::*;
use crate::container::eps::Eps;
use crate::container::layout::{CodedFrame, End, Frame, StoredFrame};
use crate::container::reader::ContainerReader;
use crate::golden::synthetic::{SYNTHETIC_START_TOKEN, SyntheticModel, ToyTokenizer};
use crate::model::context::ContextPolicy;
use crate::model::exactness::Exactness;
use crate::model::source::{Logits, LogitsSource, LogitsType, TextTokenizer};
use crate::{Error, ErrorCode};

const PROSE: &str = "lanes are decoded in lockstep, frames one after another; ";

fn options() -> CompressOptions {
    CompressOptions {
        model: ModelIdentity {
            model_sha256: Hash([1; 32]),
            tokenizer_sha256: Hash([2; 32]),
        },
        lanes: Lanes::Fixed(1),
        eps: Eps::ZERO,
        context: ContextPolicy {
            start_token: SYNTHETIC_START_TOKEN,
            window: 64,
            overlap: 16,
        },
        frame_bytes: CompressOptions::DEFAULT_FRAME_BYTES,
        fingerprint: "synthetic/x64".to_owned(),
    }
}

fn compress_with<S: LogitsSource>(
    source: &mut S,
    plain: &[u8],
    options: &CompressOptions,
) -> Result<(Vec<u8>, CompressSummary)> {
    let mut container = Vec::new();
    let summary = compress(plain, &mut container, source, &ToyTokenizer, options, &mut |_| Ok(()))?;
    assert_eq!(summary.container_bytes, container.len() as u64);
    Ok((container, summary))
}

/// The bytes that left the reader, and how it ended.
fn decompress_with<S: LogitsSource>(source: &mut S, container: &[u8]) -> (Vec<u8>, Result<DecompressSummary>) {
    let mut plain = Vec::new();
    let identity = &options().model;
    let result = ContainerReader::open(container)
        .and_then(|reader| decompress(reader, &mut plain, source, &ToyTokenizer, identity, &mut |_| Ok(())));
    (plain, result)
}

fn check(plain: &[u8], options: &CompressOptions) -> CompressSummary {
    let (container, summary) = compress_with(&mut SyntheticModel::new(), plain, options).unwrap();
    let sequential = compress_with(&mut SyntheticModel::without_batch(), plain, options).unwrap();
    assert!(
        sequential.0 == container,
        "a source without batches makes another container"
    );
    for source in [&mut SyntheticModel::new(), &mut SyntheticModel::without_batch()] {
        let (decoded, found) = decompress_with(source, &container);
        let expected = DecompressSummary {
            plain_bytes: plain.len() as u64,
            plain_sha256: Hash::of(plain),
            tokens: summary.tokens,
            tokens_sha256: summary.tokens_sha256,
        };
        assert_eq!(found, Ok(expected));
        assert!(decoded == plain);
    }
    assert_eq!(summary.plain_sha256, Hash::of(plain));
    assert!(summary.container_bytes <= plain.len() as u64 + 160 + 20 * (plain.len() / options.frame_bytes) as u64);
    summary
}
