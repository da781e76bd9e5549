//! Tests of what is refused: other models, vocabularies, options.

use super::*;

#[test]
fn a_container_of_another_model_is_refused() {
    let (container, _) = compress_with(&mut SyntheticModel::new(), b"abc", &options()).unwrap();
    let ours = options().model;
    let others = [
        (
            "model",
            ModelIdentity {
                model_sha256: Hash([5; 32]),
                ..ours
            },
        ),
        (
            "tokenizer",
            ModelIdentity {
                tokenizer_sha256: Hash([5; 32]),
                ..ours
            },
        ),
    ];
    for (what, identity) in others {
        let reader = ContainerReader::open(container.as_slice()).unwrap();
        let source = &mut SyntheticModel::new();
        let error = decompress(reader, Vec::new(), source, &ToyTokenizer, &identity, &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.code, ErrorCode::Integrity);
        let wanted = if what == "model" {
            ours.model_sha256
        } else {
            ours.tokenizer_sha256
        };
        for part in [what, &wanted.to_string(), &Hash([5; 32]).to_string()] {
            assert!(error.message.contains(part), "{error}");
        }
    }
}

#[test]
fn a_container_of_another_vocabulary_is_refused() {
    struct Larger(SyntheticModel);
    impl LogitsSource for Larger {
        fn vocab_size(&self) -> usize {
            258
        }
        fn logits_type(&self) -> LogitsType {
            self.0.logits_type()
        }
        fn max_batch(&self) -> usize {
            usize::MAX
        }
        fn exactness(&self) -> Exactness {
            self.0.exactness()
        }
        fn reset(&mut self, batch: usize) -> Result<()> {
            self.0.reset(batch)
        }
        fn keep_lanes(&mut self, batch: usize) -> Result<()> {
            self.0.keep_lanes(batch)
        }
        fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
            self.0.feed(ids, length)
        }
    }
    let plain = PROSE.repeat(4);
    let (container, _) = compress_with(&mut SyntheticModel::new(), plain.as_bytes(), &options()).unwrap();
    let (decoded, result) = decompress_with(&mut Larger(SyntheticModel::new()), &container);
    assert_eq!(result.unwrap_err().code, ErrorCode::Vocabulary);
    assert!(decoded.is_empty());
    // And a source that does not give what it claims.
    let error = compress_with(&mut Larger(SyntheticModel::new()), plain.as_bytes(), &options()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Model);
}

#[test]
fn ids_beyond_the_vocabulary_are_refused() {
    struct Foreign;
    impl TextTokenizer for Foreign {
        fn encode(&self, text: &str) -> Result<Vec<u32>> {
            Ok(text.bytes().map(|byte| 1000 + u32::from(byte)).collect())
        }
        fn decode(&self, ids: &[u32]) -> Result<String> {
            Ok(ids.iter().map(|&id| char::from((id - 1000) as u8)).collect())
        }
    }
    let source = &mut SyntheticModel::new();
    let error = compress(b"abc".as_slice(), Vec::new(), source, &Foreign, &options(), &mut |_| {
        Ok(())
    })
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::Vocabulary);
}

#[test]
fn options_outside_their_limits_are_refused() {
    let context = options().context;
    let bad = [
        CompressOptions {
            lanes: Lanes::Fixed(0),
            ..options()
        },
        CompressOptions {
            lanes: Lanes::Fixed(257),
            ..options()
        },
        CompressOptions {
            frame_bytes: 0,
            ..options()
        },
        CompressOptions {
            frame_bytes: (1 << 24) + 1,
            ..options()
        },
        CompressOptions {
            context: ContextPolicy { overlap: 64, ..context },
            ..options()
        },
        CompressOptions {
            fingerprint: "two words".to_owned(),
            ..options()
        },
    ];
    for options in bad {
        let error = compress_with(&mut SyntheticModel::new(), b"abc", &options).unwrap_err();
        assert_eq!(error.code, ErrorCode::Usage, "{error}");
    }
}
