use super::*;
use crate::container::eps::Eps;
use crate::container::reader::ContainerReader;
use crate::golden::synthetic::{SYNTHETIC_START_TOKEN, SyntheticModel, ToyTokenizer};
use crate::model::context::ContextPolicy;

fn options() -> CompressOptions {
    CompressOptions {
        model: ModelIdentity {
            model_sha256: Hash([1; 32]),
            tokenizer_sha256: Hash([2; 32]),
        },
        lanes: 1,
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

fn compress_to_vec(plain: &[u8], options: &CompressOptions) -> Result<(Vec<u8>, CompressSummary)> {
    let mut container = Vec::new();
    let model = &mut SyntheticModel::new();
    let summary = compress(plain, &mut container, model, &ToyTokenizer, options, &mut |_| Ok(()))?;
    assert_eq!(summary.container_bytes, container.len() as u64);
    Ok((container, summary))
}

fn decompress_to_vec(container: &[u8]) -> (Vec<u8>, Result<DecompressSummary>) {
    let mut plain = Vec::new();
    let model = &mut SyntheticModel::new();
    let identity = &options().model;
    let result = ContainerReader::open(container)
        .and_then(|reader| decompress(reader, &mut plain, model, &ToyTokenizer, identity, &mut |_| Ok(())));
    (plain, result)
}

fn check(plain: &[u8], options: &CompressOptions) -> CompressSummary {
    let (container, summary) = compress_to_vec(plain, options).unwrap();
    let (decoded, found) = decompress_to_vec(&container);
    let found = found.unwrap();
    assert!(decoded == plain);
    assert_eq!(found.plain_bytes, summary.plain_bytes);
    assert_eq!(found.plain_sha256, summary.plain_sha256);
    assert_eq!(found.tokens, summary.tokens);
    assert_eq!(found.tokens_sha256, summary.tokens_sha256);
    assert_eq!(summary.plain_bytes, plain.len() as u64);
    summary
}

#[test]
fn a_round_trip() {
    let summary = check(&b"lanes are decoded in lockstep; ".repeat(20), &options());
    assert_eq!(summary.tokens, 620);
    assert!(summary.container_bytes < 620);
}
