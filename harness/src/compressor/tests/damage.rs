//! Tests that a damaged, forged or drifting reading is an error and gives no wrong byte.

use super::*;

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

    fn max_batch(&self) -> usize {
        usize::MAX
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
        lanes: Lanes::Fixed(3),
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
fn every_flip_and_every_cut_is_an_error_and_gives_no_wrong_byte() {
    let plain = [
        PROSE.as_bytes(),
        b"\xFF\x07",
        PROSE.as_bytes(),
        b"\xF0\xF1\xF2\xF3\xF4\xF5\xF6\xF7",
    ]
    .concat();
    let options = CompressOptions {
        lanes: Lanes::Fixed(2),
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
