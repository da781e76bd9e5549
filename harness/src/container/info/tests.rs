#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::io::{Cursor, Read};

use super::*;
use crate::ErrorCode;
use crate::container::layout::{End, StoredFrame};
use crate::model::context::ContextPolicy;

fn head() -> Vec<u8> {
    Preamble {
        model_sha256: Hash([1; 32]),
        tokenizer_sha256: Hash([2; 32]),
        vocab_size: 300,
        eps: "5e-5".parse().unwrap(),
        offsets: 32,
        context: ContextPolicy {
            start_token: 0,
            window: 512,
            overlap: 128,
        },
        fingerprint: String::new(),
    }
    .write()
}

fn end(plain: &[u8]) -> Vec<u8> {
    End {
        plain_sha256: Hash::of(plain),
    }
    .write()
}

#[test]
fn stored_bytes_are_held_to_the_sha256() {
    let frame = StoredFrame::write(b"plain");
    let info = read_info([head(), frame.clone(), end(b"plain")].concat().as_slice()).unwrap();
    assert!(info.plain_is_verified);
    assert_eq!((info.stored_frames, info.plain_bytes, info.lanes), (1, 5, None));
    let error = read_info([head(), frame, end(b"plaim")].concat().as_slice()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Format);
    assert!(error.message.contains("SHA-256"), "{}", error.message);
}

#[test]
fn ratios_are_rounded_in_whole_numbers() {
    let mut info = read_info([head(), end(b"")].concat().as_slice()).unwrap();
    assert_eq!(info.ratio_thousandths(), None);
    for (plain, container, expected) in [
        (1, 3, 333),
        (2, 3, 667),
        (1, 2000, 1),
        (1, 2001, 0),
        (1 << 53, 1, 1000 << 53),
    ] {
        (info.plain_bytes, info.container_bytes) = (plain, container);
        assert_eq!(info.ratio_thousandths(), Some(expected), "{plain} / {container}");
    }
}

/// So many frames of 4 KiB, none of which is there before it is read.
struct Frames {
    left: u64,
    piece: Cursor<Vec<u8>>,
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.piece.read(buffer)?;
        if read > 0 || self.left == 0 {
            return Ok(read);
        }
        self.left -= 1;
        let next = if self.left == 0 {
            vec![9]
        } else {
            StoredFrame::write(&[7; 4096])
        };
        self.piece = Cursor::new(next);
        self.piece.read(buffer)
    }
}

#[test]
fn a_long_container_is_read_to_the_fault_at_its_end() {
    let input = Frames {
        left: 5000,
        piece: Cursor::new(head()),
    };
    let error = read_info(input).unwrap_err();
    assert!(error.message.contains("unknown kind 9"), "{}", error.message);
}
