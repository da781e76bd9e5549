//! Tests of progress, and of inputs and outputs that fail.

use std::io::Read;

use super::*;

#[test]
fn progress_counts_tokens_and_can_end_the_work() {
    let plain = PROSE.repeat(4);
    let options = CompressOptions {
        frame_bytes: 120,
        lanes: Lanes::Fixed(2),
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
fn progress_does_not_go_back_after_a_frame_that_is_stored_after_all() {
    let mut seen = Vec::new();
    let mut note = |progress: Progress| {
        seen.push(progress.done);
        Ok(())
    };
    // Frames of four bytes are shorter stored, whatever was made of their tokens.
    let options = CompressOptions {
        frame_bytes: 4,
        ..options()
    };
    let source = &mut SyntheticModel::new();
    let summary = compress(PROSE.as_bytes(), Vec::new(), source, &ToyTokenizer, &options, &mut note).unwrap();
    assert!(
        seen.iter().zip(1..).all(|(&done, expected)| done == expected),
        "{seen:?}"
    );
    assert_eq!((seen.len(), summary.tokens), (PROSE.len(), 0));
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
