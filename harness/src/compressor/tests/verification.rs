//! Tests of the proof that a container gives back what went in.

use std::io::Read;

use super::*;
use crate::compressor::{HashedInput, PlainDigest, verify};

fn digest(plain: &[u8]) -> PlainDigest {
    PlainDigest {
        bytes: plain.len() as u64,
        sha256: Hash::of(plain),
    }
}

fn check<S: LogitsSource>(source: &mut S, container: &[u8], plain: &[u8]) -> Result<()> {
    verify(
        container,
        digest(plain),
        source,
        &ToyTokenizer,
        &options().model,
        &mut |_| Ok(()),
    )
}

/// Another model once it is told to be.
struct Shifty {
    model: SyntheticModel,
    is_other: bool,
}

impl LogitsSource for Shifty {
    fn vocab_size(&self) -> usize {
        self.model.vocab_size()
    }
    fn logits_type(&self) -> LogitsType {
        self.model.logits_type()
    }
    fn max_batch(&self) -> usize {
        1
    }
    fn exactness(&self) -> Exactness {
        self.model.exactness()
    }
    fn reset(&mut self, batch: usize) -> Result<()> {
        self.model.reset(batch)
    }
    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        self.model.keep_lanes(batch)
    }
    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        if !self.is_other {
            return self.model.feed(ids, length);
        }
        let others: Vec<u32> = ids.iter().map(|id| id ^ 1).collect();
        self.model.feed(&others, length)
    }
}

#[test]
fn what_decodes_to_what_went_in_passes() {
    let plain = PROSE.repeat(3);
    let mut input = HashedInput::new(plain.as_bytes());
    let mut container = Vec::new();
    let source = &mut SyntheticModel::new();
    compress(
        &mut input,
        &mut container,
        source,
        &ToyTokenizer,
        &options(),
        &mut |_| Ok(()),
    )
    .unwrap();
    assert_eq!(input.finish(), digest(plain.as_bytes()));
    let mut rows = 0;
    let model = &options().model;
    verify(
        container.as_slice(),
        digest(plain.as_bytes()),
        source,
        &ToyTokenizer,
        model,
        &mut |progress| {
            rows = progress.done;
            Ok(())
        },
    )
    .unwrap();
    assert!(rows > 0, "nothing was decoded");
}

#[test]
fn a_source_that_changes_is_told() {
    let plain = PROSE.repeat(3);
    let mut source = Shifty {
        model: SyntheticModel::new(),
        is_other: false,
    };
    let (container, _) = compress_with(&mut source, plain.as_bytes(), &options()).unwrap();
    source.is_other = true;
    let error = check(&mut source, &container, plain.as_bytes()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Divergence);
    assert!(error.message.starts_with("what was written does not decode"), "{error}");
    check(&mut SyntheticModel::new(), &container, plain.as_bytes()).unwrap();
}

#[test]
fn damage_and_other_bytes_are_told() {
    let plain = PROSE.as_bytes();
    let (mut container, _) = compress_with(&mut SyntheticModel::new(), plain, &options()).unwrap();
    let error = check(&mut SyntheticModel::new(), &container, &plain[1..]).unwrap_err();
    assert_eq!(error.code, ErrorCode::Internal);
    assert!(error.message.contains(&Hash::of(&plain[1..]).to_string()), "{error}");
    let middle = container.len() / 2;
    container[middle] ^= 1;
    let error = check(&mut SyntheticModel::new(), &container, plain).unwrap_err();
    assert_eq!(error.code, ErrorCode::Format);
    assert!(error.message.starts_with("what was written does not decode"), "{error}");
}

#[test]
fn an_interruption_stays_one() {
    let (container, _) = compress_with(&mut SyntheticModel::new(), PROSE.as_bytes(), &options()).unwrap();
    let stop = Error::new(ErrorCode::Interrupted, "interrupted");
    let error = verify(
        container.as_slice(),
        digest(PROSE.as_bytes()),
        &mut SyntheticModel::new(),
        &ToyTokenizer,
        &options().model,
        &mut |_| Err(stop.clone()),
    );
    assert_eq!(error, Err(stop));
}

#[test]
fn an_input_is_hashed_as_it_is_read() {
    let mut input = HashedInput::new(b"abcdef".as_slice());
    let mut buffer = [0; 4];
    input.read_exact(&mut buffer).unwrap();
    assert_eq!(input.finish(), digest(b"abcd"));
}
