use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::container::eps::Eps;
use crate::container::layout::{CodedFrame, End, Frame, StoredFrame};
use crate::container::reader::ContainerReader;
use crate::golden::synthetic::{SYNTHETIC_START_TOKEN, SyntheticModel, ToyTokenizer};
use crate::model::context::ContextPolicy;
use crate::model::exactness::Exactness;
use crate::model::source::{Logits, LogitsSource, LogitsType, Tokenize};

const PROSE: &str = "lanes are decoded in lockstep, frames one after another; ";

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

#[test]
fn text_is_compressed() {
    let summary = check(PROSE.repeat(10).as_bytes(), &options());
    assert_eq!(summary.tokens, 570);
    assert!(summary.container_bytes < 570);
    let stream_bits = 8.0 * summary.stream_bytes as f64;
    assert!((summary.entropy_bits..summary.entropy_bits * 1.01 + 16.0).contains(&stream_bits));
}

#[test]
fn awkward_inputs_come_back() {
    let noise: Vec<u8> = (0..1000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let inputs: [&[u8]; 9] = [
        b"",
        b"a",
        b"\x00",
        b"\xFF",
        b"\x07\x07\x07",
        b"text \xC3 broken \xF0\x9F off",
        "Ünïcödé, 日本語, 😀👩‍👩‍👧\r\n\0 and so on".as_bytes(),
        &noise,
        &[PROSE.as_bytes(), &noise, PROSE.as_bytes()].concat(),
    ];
    for plain in inputs {
        for lanes in [1, 4, 256] {
            for frame_bytes in [1, 50, CompressOptions::DEFAULT_FRAME_BYTES] {
                let options = CompressOptions {
                    lanes,
                    frame_bytes,
                    ..options()
                };
                check(plain, &options);
            }
        }
    }
}

#[test]
fn tokens_of_stored_frames_do_not_count() {
    let summary = check(b"\xFF\xFE", &options());
    assert_eq!(
        (summary.tokens, summary.entropy_bits, summary.stream_bytes),
        (0, 0.0, 0)
    );
    assert_eq!(summary.tokens_sha256, Hash::of(b""));
    let summary = check(b"aaaa", &options());
    assert_eq!(summary.tokens, 0, "four bytes are shorter stored");
}

#[test]
fn the_token_hash_is_of_little_endian_ids() {
    let plain = PROSE.repeat(4);
    let summary = check(plain.as_bytes(), &options());
    let bytes: Vec<u8> = plain.bytes().flat_map(|byte| u32::from(byte).to_le_bytes()).collect();
    assert_eq!(summary.tokens_sha256, Hash::of(&bytes));
}

fn arbitrary_plain() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::collection::vec(
        prop_oneof![Just(PROSE.to_owned()), "\\PC{0,20}", "[a-z 0-9]{0,60}"],
        0..6,
    );
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        text.clone().prop_map(|parts| parts.concat().into_bytes()),
        (
            text,
            prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5)
        )
            .prop_map(|(parts, bytes)| {
                let mut plain = parts.concat().into_bytes();
                for (place, byte) in bytes {
                    plain.insert(place.index(plain.len() + 1), byte);
                }
                plain
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_come_back(
        plain in arbitrary_plain(),
        lanes in prop_oneof![1usize..6, Just(256)],
        frame_bytes in prop_oneof![1usize..400, Just(1 << 20)],
        (window, overlap) in (2usize..100).prop_flat_map(|window| (Just(window), 0..window)),
        eps in prop::sample::select(vec!["0", "1e-9", "1e-5", "5e-5", "1e-3", "2e-2", "0.5"]),
    ) {
        let context = ContextPolicy { window, overlap, ..options().context };
        check(&plain, &CompressOptions { lanes, frame_bytes, context, eps: eps.parse().unwrap(), ..options() });
    }
}

/// A model whose logits are all moved, in turn up and down, by `noise`.
struct Moved {
    model: SyntheticModel,
    logits: Vec<f32>,
    noise: f32,
}

impl LogitsSource for Moved {
    fn vocab_size(&self) -> usize {
        self.model.vocab_size()
    }

    fn logits_type(&self) -> LogitsType {
        LogitsType::Float32
    }

    fn allows_batch(&self) -> bool {
        true
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        self.model.reset(batch)
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        self.model.keep_lanes(batch)
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        self.logits.clear();
        if let Logits::F32(logits) = self.model.feed(ids, length)? {
            let signs = [self.noise, -self.noise, self.noise].into_iter().cycle();
            self.logits
                .extend(std::iter::zip(logits, signs).map(|(logit, noise)| logit + noise));
        }
        Ok(Logits::F32(&self.logits))
    }
}

#[test]
fn a_reader_within_eps_reads_and_one_beyond_never_gives_wrong_bytes() {
    let plain = PROSE.repeat(30);
    let options = CompressOptions {
        eps: "1e-3".parse().unwrap(),
        lanes: 3,
        frame_bytes: 500,
        ..options()
    };
    let (container, _) = compress_with(&mut SyntheticModel::new(), plain.as_bytes(), &options).unwrap();
    let moved = |noise| {
        let model = SyntheticModel::new();
        let mut source = Moved {
            model,
            logits: Vec::new(),
            noise,
        };
        decompress_with(&mut source, &container)
    };
    // Logits that move by less than half of eps, up or down, move no log-prob by more than eps.
    for noise in [1e-6, 1e-4, 4.9e-4] {
        let (decoded, result) = moved(noise);
        result.unwrap();
        assert!(decoded == plain.as_bytes());
    }
    for noise in [0.3, 3.0, f32::NAN] {
        let (decoded, result) = moved(noise);
        let error = result.unwrap_err();
        assert_eq!(
            error.code,
            if noise.is_nan() {
                ErrorCode::Model
            } else {
                ErrorCode::Divergence
            }
        );
        assert!(plain.as_bytes().starts_with(&decoded));
        if error.code == ErrorCode::Divergence {
            assert!(
                error.message.contains("eps 1e-3") && error.message.contains("synthetic/x64"),
                "{error}"
            );
        }
    }
}

#[test]
fn every_flip_and_every_cut_is_an_error_and_gives_no_wrong_byte() {
    let plain = [
        PROSE.as_bytes(),
        b"\xFF\x07",
        PROSE.as_bytes(),
        b"\xF0\xF1\xF2\xF3\xF4\xF5\xF6\xF7",
    ]
    .concat();
    let options = CompressOptions {
        lanes: 2,
        frame_bytes: 120,
        ..options()
    };
    let (container, _) = compress_with(&mut SyntheticModel::new(), &plain, &options).unwrap();
    let check = |damaged: &[u8], what: &str| {
        let (decoded, result) = decompress_with(&mut SyntheticModel::new(), damaged);
        assert!(result.is_err(), "{what}");
        assert!(plain.starts_with(&decoded), "wrong bytes came out: {what}");
    };
    for length in 0..container.len() {
        check(&container[..length], &format!("cut to {length}"));
    }
    check(&[container.as_slice(), &[0]].concat(), "a byte more");
    for place in 0..container.len() {
        for mask in [0x01, 0x80, 0xFF] {
            let mut damaged = container.clone();
            damaged[place] ^= mask;
            check(&damaged, &format!("byte {place} ^ {mask:02x}"));
        }
    }
}

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
fn eps_0_is_for_exact_sources_alone() {
    let plain = PROSE.repeat(4);
    let still = || Moved {
        model: SyntheticModel::new(),
        logits: Vec::new(),
        noise: 0.0,
    };
    let error = compress_with(&mut still(), plain.as_bytes(), &options()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported, "{error}");
    let (container, _) = compress_with(&mut SyntheticModel::new(), plain.as_bytes(), &options()).unwrap();
    let (decoded, result) = decompress_with(&mut still(), &container);
    assert_eq!(result.unwrap_err().code, ErrorCode::Unsupported);
    assert!(decoded.is_empty());
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
        fn allows_batch(&self) -> bool {
            true
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
    impl Tokenize for Foreign {
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
        CompressOptions { lanes: 0, ..options() },
        CompressOptions {
            lanes: 257,
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

#[test]
fn progress_counts_tokens_and_can_end_the_work() {
    let plain = PROSE.repeat(4);
    let options = CompressOptions {
        frame_bytes: 120,
        lanes: 2,
        ..options()
    };
    let mut seen = Vec::new();
    let mut container = Vec::new();
    let source = &mut SyntheticModel::new();
    let mut note = |progress| {
        seen.push(progress);
        Ok(())
    };
    compress(
        plain.as_bytes(),
        &mut container,
        source,
        &ToyTokenizer,
        &options,
        &mut note,
    )
    .unwrap();
    assert_eq!(seen.len(), plain.len());
    assert!(
        seen.iter()
            .zip(1..)
            .all(|(progress, done)| progress.done == done && progress.total >= done)
    );
    assert_eq!(seen.last(), Some(&Progress { done: 228, total: 228 }));

    let mut stop_at_100 = |progress: Progress| {
        if progress.done < 100 {
            return Ok(());
        }
        Err(Error::new(ErrorCode::Interrupted, "stop"))
    };
    let stopped = compress(
        plain.as_bytes(),
        Vec::new(),
        source,
        &ToyTokenizer,
        &options,
        &mut stop_at_100,
    );
    assert_eq!(stopped.unwrap_err().code, ErrorCode::Interrupted);
    let reader = ContainerReader::open(container.as_slice()).unwrap();
    let stopped = decompress(
        reader,
        Vec::new(),
        source,
        &ToyTokenizer,
        &options.model,
        &mut stop_at_100,
    );
    assert_eq!(stopped.unwrap_err().code, ErrorCode::Interrupted);
}

#[test]
fn failing_inputs_and_outputs_are_io_errors() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("unplugged"))
        }
    }
    impl std::io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let source = &mut SyntheticModel::new();
    let on_progress: OnProgress<'_> = &mut |_| Ok(());
    let error = compress(Broken, Vec::new(), source, &ToyTokenizer, &options(), on_progress).unwrap_err();
    assert!(
        error.code == ErrorCode::Io && error.message.contains("unplugged"),
        "{error}"
    );
    let error = compress(
        b"abc".as_slice(),
        Broken,
        source,
        &ToyTokenizer,
        &options(),
        on_progress,
    )
    .unwrap_err();
    assert!(
        error.code == ErrorCode::Io && error.message.contains("disk full"),
        "{error}"
    );
    let (container, _) = compress_with(&mut SyntheticModel::new(), b"abc", &options()).unwrap();
    let reader = ContainerReader::open(container.as_slice()).unwrap();
    let error = decompress(reader, Broken, source, &ToyTokenizer, &options().model, on_progress).unwrap_err();
    assert!(
        error.code == ErrorCode::Io && error.message.contains("disk full"),
        "{error}"
    );
}

/// The container of `plain` with its first frame put through `forge`.
fn forged(plain: &[u8], forge: impl Fn(&mut CodedFrame)) -> Vec<u8> {
    let (container, _) = compress_with(&mut SyntheticModel::new(), plain, &options()).unwrap();
    let mut reader = ContainerReader::open(container.as_slice()).unwrap();
    let mut bytes = reader.preamble().write();
    while let Some(part) = match reader.next_frame().unwrap() {
        Frame::Coded(mut frame) => {
            forge(&mut frame);
            Some(frame.write())
        }
        Frame::Stored(StoredFrame { plain }) => Some(StoredFrame::write(&plain)),
        Frame::End(end) => {
            bytes.extend(End::write(&end));
            None
        }
    } {
        bytes.extend(part);
    }
    bytes
}

#[test]
fn an_intact_frame_that_decodes_wrongly_is_a_divergence() {
    let plain = [PROSE.repeat(4).as_bytes(), b"\xFF\xFF"].concat();
    let (decoded, result) = decompress_with(&mut SyntheticModel::new(), &forged(&plain, |_| ()));
    result.unwrap();
    assert!(decoded == plain);
    let check = |reason: &str, forge: fn(&mut CodedFrame)| {
        let (decoded, result) = decompress_with(&mut SyntheticModel::new(), &forged(&plain, forge));
        let error = result.unwrap_err();
        assert_eq!(error.code, ErrorCode::Divergence, "{error}");
        assert!(
            error.message.contains(reason) && error.message.contains("frame 1"),
            "{error}"
        );
        assert!(decoded.is_empty());
    };
    check("crc32", |frame| frame.plain_crc32 ^= 1);
    check("230 bytes instead of 231", |frame| frame.plain_length += 1);
    check("230 bytes instead of 229", |frame| frame.plain_length -= 1);
    check("wrongly", |frame| frame.streams[0][5] ^= 0x10);
    check("ends too early", |frame| frame.streams[0].truncate(20));
}

/// A model that notes how it is fed, and that is exact or not.
struct Noting {
    model: SyntheticModel,
    exact: bool,
    /// Lanes and length of each pass.
    passes: Vec<(usize, usize)>,
}

impl Noting {
    fn new(exact: bool) -> Self {
        Self {
            model: SyntheticModel::new(),
            exact,
            passes: Vec::new(),
        }
    }
}

impl LogitsSource for Noting {
    fn vocab_size(&self) -> usize {
        self.model.vocab_size()
    }

    fn logits_type(&self) -> LogitsType {
        self.model.logits_type()
    }

    fn allows_batch(&self) -> bool {
        true
    }

    fn exactness(&self) -> Exactness {
        if self.exact {
            self.model.exactness()
        } else {
            Exactness::no("it was made so".to_owned())
        }
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        self.model.reset(batch)
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        self.model.keep_lanes(batch)
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        self.passes.push((ids.len() / length, length));
        self.model.feed(ids, length)
    }
}

#[test]
fn known_tokens_go_in_chunks_where_the_logits_are_exact_and_one_by_one_elsewhere() {
    let plain = PROSE.repeat(40);
    for (lanes, chunk) in [(1, 64), (16, 64), (32, 32), (200, 5), (256, 4)] {
        let options = CompressOptions {
            lanes,
            eps: "1e-5".parse().unwrap(),
            context: ContextPolicy {
                window: 4096,
                ..options().context
            },
            ..options()
        };
        let containers = [(true, chunk), (false, 1)].map(|(exact, longest)| {
            let mut source = Noting::new(exact);
            let (container, _) = compress_with(&mut source, plain.as_bytes(), &options).unwrap();
            assert_eq!(
                source.passes.iter().map(|pass| pass.1).max(),
                Some(longest),
                "{lanes} lanes"
            );
            assert_eq!(source.passes.iter().map(|pass| pass.0).max(), Some(lanes));
            let fed: usize = source.passes.iter().map(|(batch, length)| batch * length).sum();
            assert_eq!(fed, plain.len());
            source.passes.clear();
            let (decoded, result) = decompress_with(&mut source, &container);
            result.unwrap();
            assert!(decoded == plain.as_bytes());
            assert!(source.passes.iter().all(|pass| pass.1 == 1), "a reader has no choice");
            container
        });
        assert!(containers[0] == containers[1], "{lanes} lanes");
    }
}

#[test]
fn eps_0_is_for_exact_logits_alone() {
    let refuse = |error: Error| {
        assert_eq!(error.code, ErrorCode::Unsupported);
        assert_eq!(
            error.message,
            "eps 0 relies on logits that are the same bits everywhere, but it was made so"
        );
        assert_eq!(error.hint, "use the model's variant exact, or an eps above 0");
    };
    let (exact, other) = (&mut Noting::new(true), &mut Noting::new(false));
    let mut output = Vec::new();
    let written = compress(
        PROSE.as_bytes(),
        &mut output,
        other,
        &ToyTokenizer,
        &options(),
        &mut |_| Ok(()),
    );
    refuse(written.unwrap_err());
    assert!(output.is_empty());
    let (container, _) = compress_with(exact, PROSE.as_bytes(), &options()).unwrap();
    let (decoded, read) = decompress_with(other, &container);
    refuse(read.unwrap_err());
    assert!(decoded.is_empty() && other.passes.is_empty());
    decompress_with(exact, &container).1.unwrap();
}
