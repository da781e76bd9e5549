//! Whoever shares the rows among threads writes and reads the same.

use super::*;

/// The synthetic model with so many more ids that its rows are worth threads.
struct Wide {
    model: SyntheticModel,
    threads: usize,
    rows: usize,
    /// This row, counted over all passes, and the one after it have a logit that is none: of id 3 and of id 5.
    spoiled: Option<usize>,
    logits: Vec<f32>,
}

const WIDTH: usize = 40_000;

impl Wide {
    fn new(threads: usize) -> Self {
        Self {
            model: SyntheticModel::new(),
            threads,
            rows: 0,
            spoiled: None,
            logits: Vec::new(),
        }
    }
}

impl LogitsSource for Wide {
    fn vocab_size(&self) -> usize {
        WIDTH
    }

    fn logits_type(&self) -> LogitsType {
        LogitsType::Float32
    }

    fn max_batch(&self) -> usize {
        usize::MAX
    }

    fn exactness(&self) -> Exactness {
        self.model.exactness()
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        self.model.reset(batch)
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        self.model.keep_lanes(batch)
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        let narrow = self.model.vocab_size();
        let Logits::F32(logits) = self.model.feed(ids, length)? else {
            panic!("the synthetic model has 32-bit logits");
        };
        self.logits.clear();
        for row in logits.chunks(narrow) {
            let start = self.logits.len();
            self.logits.extend_from_slice(row);
            self.logits.resize(start + WIDTH, -12.0);
            match self.spoiled.map(|first| self.rows.wrapping_sub(first)) {
                Some(0) => self.logits[start + 3] = f32::NAN,
                Some(1) => self.logits[start + 5] = f32::NAN,
                _ => {}
            }
            self.rows += 1;
        }
        Ok(Logits::F32(&self.logits))
    }
}

#[test]
fn threads_change_no_byte_and_no_sum() {
    let plain = PROSE.repeat(6);
    for lanes in [1, 5] {
        let options = CompressOptions {
            lanes: Lanes::Fixed(lanes),
            ..options()
        };
        let expected = compress_with(&mut Wide::new(1), plain.as_bytes(), &options).unwrap();
        assert_ne!(expected.1.tokens, 0, "the frame is coded");
        for threads in [2, 3, 8] {
            let found = compress_with(&mut Wide::new(threads), plain.as_bytes(), &options).unwrap();
            assert!(found == expected, "{threads} threads, {lanes} lanes");
        }
        for threads in [1, 2, 3, 8] {
            let (decoded, summary) = decompress_with(&mut Wide::new(threads), &expected.0);
            assert_eq!(summary.unwrap().tokens, expected.1.tokens);
            assert!(decoded == plain.as_bytes());
        }
    }
}

#[test]
fn threads_change_no_error() {
    let plain = PROSE.repeat(6);
    let options = CompressOptions {
        lanes: Lanes::Fixed(5),
        ..options()
    };
    let (container, _) = compress_with(&mut Wide::new(1), plain.as_bytes(), &options).unwrap();
    for threads in [1, 2, 3, 8] {
        let spoiled = || Wide {
            spoiled: Some(31),
            ..Wide::new(threads)
        };
        let written = compress_with(&mut spoiled(), plain.as_bytes(), &options).unwrap_err();
        let (_, read) = decompress_with(&mut spoiled(), &container);
        for error in [written, read.unwrap_err()] {
            assert_eq!(error.code, ErrorCode::Model);
            assert!(error.message.contains("the first NaN for id 3"), "{threads}: {error}");
        }
    }
}
