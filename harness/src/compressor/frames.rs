//! Owns how a writer cuts its input into frames (FORMAT.md section 8).

use std::io::Read;

use crate::container::layout::MAX_FRAME_BYTES;
use crate::{Error, ErrorCode, Result};

/// Reads an input frame by frame.
pub struct Frames<R> {
    input: R,
    frame_bytes: usize,
    /// What was read beyond the last cut.
    rest: Vec<u8>,
}

impl<R: Read> Frames<R> {
    /// Frames of at most `frame_bytes` bytes, `1 ..= 2^24`.
    pub fn new(input: R, frame_bytes: usize) -> Result<Self> {
        if !(1..=MAX_FRAME_BYTES).contains(&(frame_bytes as u64)) {
            return Err(Error::new(
                ErrorCode::Usage,
                format!("frames of {frame_bytes} bytes are not 1 to {MAX_FRAME_BYTES}"),
            ));
        }
        Ok(Self {
            input,
            frame_bytes,
            rest: Vec::new(),
        })
    }

    /// The next frame's plain bytes, or `None` at the end of the input.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        // One byte more than a frame: the cut depends on it.
        let wanted = (self.frame_bytes + 1 - self.rest.len()) as u64;
        let mut plain = std::mem::take(&mut self.rest);
        self.input
            .by_ref()
            .take(wanted)
            .read_to_end(&mut plain)
            .map_err(|error| Error::new(ErrorCode::Io, format!("cannot read the input: {error}")))?;
        if plain.len() > self.frame_bytes {
            self.rest = plain.split_off(cut(&plain, self.frame_bytes));
        }
        Ok((!plain.is_empty()).then_some(plain))
    }
}

/// Where a frame of `frame_bytes` is cut, there being more bytes than that: not within a UTF-8 sequence if it need not be.
fn cut(plain: &[u8], frame_bytes: usize) -> usize {
    let is_continuation = |place: usize| plain[place] & 0xC0 == 0x80;
    (frame_bytes.saturating_sub(3).max(1)..=frame_bytes)
        .rev()
        .find(|&place| !is_continuation(place))
        .unwrap_or(frame_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(plain: &[u8], frame_bytes: usize, expected: &[&[u8]]) {
        let mut frames = Frames::new(plain, frame_bytes).unwrap();
        let mut found = Vec::new();
        while let Some(frame) = frames.next().unwrap() {
            found.push(frame);
        }
        assert_eq!(found, expected, "{plain:x?} in frames of {frame_bytes}");
    }

    #[test]
    fn cuts_keep_utf8_sequences_whole() {
        check(b"", 4, &[]);
        check(b"abcd", 4, &[b"abcd"]);
        check(b"abcde", 4, &[b"abcd", b"e"]);
        check("abcé".as_bytes(), 4, &[b"abc", "é".as_bytes()]);
        check("ab€".as_bytes(), 4, &[b"ab", "€".as_bytes()]);
        check("a😀b".as_bytes(), 4, &[b"a", "😀".as_bytes(), b"b"]);
        check("😀😀".as_bytes(), 4, &["😀".as_bytes(), "😀".as_bytes()]);
        // Nothing to cut before: the frame is cut where it is.
        check("😀".as_bytes(), 3, &[b"\xF0\x9F\x98", b"\x80"]);
        check(b"a\x80\x80\x80\x80\x80", 5, &[b"a\x80\x80\x80\x80", b"\x80"]);
        check(b"a\x80\x80\x80", 3, &[b"a\x80\x80", b"\x80"]);
        check(b"ab\x80\x80\x80", 4, &[b"a", b"b\x80\x80\x80"]);
        check("é".as_bytes(), 1, &[b"\xC3", b"\xA9"]);
    }

    #[test]
    fn limits() {
        for frame_bytes in [0, (1 << 24) + 1] {
            let error = Frames::new([].as_slice(), frame_bytes).err().unwrap();
            assert_eq!(error.code, ErrorCode::Usage);
        }
    }
}
