use super::*;
use crate::ErrorCode;
use crate::codec::block::Parameters;
use crate::container::bytes::{ByteReader, put_crc32, put_varint};
use crate::container::eps::Eps;
use crate::container::reader::ContainerReader;
use crate::model::context::ContextPolicy;
use crate::model::provenance::Hash;
use crate::{Error, Result};

fn preamble() -> Preamble {
    Preamble {
        model_sha256: Hash([7; 32]),
        tokenizer_sha256: Hash([9; 32]),
        vocab_size: 1536,
        eps: Eps::from_fields(5, 5).unwrap(),
        offsets: 32,
        context: ContextPolicy {
            start_token: 3,
            window: 512,
            overlap: 128,
        },
        fingerprint: "ort-1.30.0/x64".to_owned(),
    }
}

fn coded() -> CodedFrame {
    CodedFrame {
        plain_length: 300,
        plain_crc32: 0xDEAD_BEEF,
        token_count: 100,
        runs: vec![Run::Text(60), Run::Literal(3), Run::Text(40)],
        literals: vec![0xFF, 0xFE, 0],
        parameters: Parameters { cells: 48, block: 64 },
        streams: vec![vec![1, 2, 3], vec![4], vec![5; 80]],
    }
}

fn read_preamble(bytes: &[u8]) -> Result<Preamble> {
    Preamble::read(&mut ByteReader::new(bytes))
}

fn read_frame(bytes: &[u8]) -> Result<Frame> {
    Frame::read(&mut ByteReader::new(bytes), &preamble())
}

fn format_error<T: std::fmt::Debug>(result: Result<T>, expected: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.code, ErrorCode::Format, "{error}");
    assert!(error.message.contains(expected), "{error} does not say {expected:?}");
    assert!(!error.hint.is_empty());
    error
}

#[test]
fn parts_come_back() {
    let short = Preamble {
        vocab_size: 2,
        eps: Eps::ZERO,
        offsets: 1,
        context: ContextPolicy {
            start_token: 0,
            window: 2,
            overlap: 0,
        },
        fingerprint: String::new(),
        ..preamble()
    };
    for preamble in [preamble(), short] {
        preamble.check().unwrap();
        assert_eq!(read_preamble(&preamble.write()), Ok(preamble));
    }
    let one_run = CodedFrame {
        runs: vec![Run::Text(100)],
        literals: Vec::new(),
        ..coded()
    };
    // One text run is not listed: a run count of 0, instead of 3 runs of a byte each and 3 literals.
    assert_eq!(one_run.write().len() + 3 + 3, coded().write().len());
    for frame in [coded(), one_run] {
        assert_eq!(read_frame(&frame.write()), Ok(Frame::Coded(frame)));
    }
    let plain = vec![0, 1, 2, 255];
    assert_eq!(
        read_frame(&StoredFrame::write(&plain)),
        Ok(Frame::Stored(StoredFrame { plain }))
    );
    let end = End {
        plain_sha256: Hash([1; 32]),
    };
    assert_eq!(read_frame(&end.write()), Ok(Frame::End(end)));
}

#[test]
fn the_bytes_are_those_of_the_format() {
    let bytes = preamble().write();
    assert_eq!(&bytes[..5], [0x89, 0x4C, 0x4D, 0x5A, 1]);
    assert_eq!(&bytes[5..69], [[7; 32], [9; 32]].concat());
    let rest: &[u8] = &[0x80, 12, 11, 5, 5, 32, 3, 0x80, 4, 0x80, 1, 14];
    assert_eq!(&bytes[69..81], rest);
    assert_eq!(&bytes[81..95], b"ort-1.30.0/x64");
    assert_eq!(bytes.len(), 99);
    let bytes = coded().write();
    let head: &[u8] = &[
        1, 0xAC, 2, 0xEF, 0xBE, 0xAD, 0xDE, 100, 3, 120, 7, 80, 0xFF, 0xFE, 0, 48, 64, 3, 3,
    ];
    assert_eq!(&bytes[..head.len()], head);
    assert!(bytes.ends_with(&[vec![1, 2, 3, 4], vec![5; 80]].concat()));
}

/// Every byte changed in every bit, and every shorter prefix, is an error.
fn check_damage(bytes: &[u8], read: impl Fn(&[u8]) -> bool) {
    assert!(read(bytes));
    for length in 0..bytes.len() {
        assert!(!read(&bytes[..length]), "cut to {length} of {}", bytes.len());
    }
    let mut damaged = bytes.to_vec();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            damaged[place] ^= 1 << bit;
            assert!(!read(&damaged), "bit {bit} of byte {place}");
            damaged[place] ^= 1 << bit;
        }
    }
}

#[test]
fn damage_is_found() {
    check_damage(&preamble().write(), |bytes| read_preamble(bytes).is_ok());
    check_damage(&coded().write(), |bytes| {
        matches!(read_frame(bytes), Ok(Frame::Coded(_)))
    });
    check_damage(&StoredFrame::write(b"plain"), |bytes| {
        matches!(read_frame(bytes), Ok(Frame::Stored(_)))
    });
    let end = End {
        plain_sha256: Hash([1; 32]),
    };
    // What the SHA-256 says is for whoever has the plain bytes to judge.
    check_damage(&end.write()[..1], |bytes| bytes == [0]);
    format_error(read_frame(&end.write()[..32]), "the plain SHA-256");
    format_error(
        read_frame(&[end.write(), vec![0]].concat()),
        "follow the container's end",
    );
}

#[test]
fn what_is_no_container_is_refused() {
    format_error(ContainerReader::open(b"".as_slice()), "ends in the middle of the magic");
    format_error(
        ContainerReader::open(b"PK\x03\x04 and so on".as_slice()),
        "not an LLMzip container",
    );
    format_error(ContainerReader::open(b"\x89LMZ\x02 and so on".as_slice()), "version 2");
    format_error(read_frame(&[3, 0, 0]), "unknown kind 3");
}

/// A preamble whose bytes from 69 on are replaced and whose crc32 is right.
fn forged_preamble(fields: &[u8]) -> Result<Preamble> {
    let mut bytes = preamble().write()[..69].to_vec();
    bytes.extend(fields);
    put_crc32(&mut bytes, 0);
    read_preamble(&bytes)
}

#[test]
fn forged_preambles_are_refused() {
    assert!(forged_preamble(&[0x80, 12, 11, 5, 5, 32, 3, 0x80, 4, 0x80, 1, 1, b'!']).is_ok());
    let cases: [(&[u8], &str); 16] = [
        (&[1], "vocabulary size"),
        (&[0x81, 0x80, 0x40], "vocabulary size"),
        (&[0x80, 12, 10], "depth"),
        (&[0x80, 12, 12], "depth"),
        (&[0x80, 12, 11, 0, 1], "eps"),
        (&[0x80, 12, 11, 50, 5], "eps"),
        (&[0x80, 12, 11, 1, 13], "eps"),
        (&[0x80, 12, 11, 1, 0], "eps"),
        (&[0x80, 12, 11, 5, 5, 0], "offsets"),
        (&[0x80, 12, 11, 5, 5, 65], "offsets"),
        (&[0x80, 12, 11, 5, 5, 32, 0x80, 12], "start token"),
        (&[0x80, 12, 11, 5, 5, 32, 3, 1], "window"),
        (&[0x80, 12, 11, 5, 5, 32, 3, 0x81, 0x80, 0x40], "window"),
        (&[0x80, 12, 11, 5, 5, 32, 3, 8, 8], "overlap"),
        (&[0x80, 12, 11, 5, 5, 32, 3, 8, 0, 33], "fingerprint"),
        (&[0x80, 12, 11, 5, 5, 32, 3, 8, 0, 1, b' '], "fingerprint"),
    ];
    for (fields, expected) in cases {
        format_error(forged_preamble(fields), expected);
    }
    // Not in its shortest form.
    format_error(forged_preamble(&[0x82, 0]), "shortest");
}

#[test]
fn a_writer_is_held_to_the_limits() {
    let context = preamble().context;
    let bad = [
        Preamble {
            vocab_size: 1,
            ..preamble()
        },
        Preamble {
            vocab_size: (1 << 20) + 1,
            ..preamble()
        },
        Preamble {
            offsets: 0,
            ..preamble()
        },
        Preamble {
            offsets: 65,
            ..preamble()
        },
        Preamble {
            fingerprint: "x".repeat(33),
            ..preamble()
        },
        Preamble {
            fingerprint: "a b".to_owned(),
            ..preamble()
        },
        Preamble {
            context: ContextPolicy {
                window: 1,
                overlap: 0,
                ..context
            },
            ..preamble()
        },
        Preamble {
            context: ContextPolicy {
                start_token: 1536,
                ..context
            },
            ..preamble()
        },
    ];
    for preamble in bad {
        assert_eq!(preamble.check().unwrap_err().code, ErrorCode::Usage, "{preamble:?}");
    }
}

/// A coded frame's head, forged field by field, with a right crc32.
#[derive(Clone)]
struct Forged {
    plain_length: u64,
    token_count: u64,
    run_count: u64,
    runs: Vec<u64>,
    literals: Vec<u8>,
    cells: u64,
    block: u64,
    lane_count: u64,
    lanes: Vec<u64>,
    streams: usize,
}

impl Forged {
    fn read(&self) -> Result<Frame> {
        let mut bytes = vec![1];
        put_varint(&mut bytes, self.plain_length);
        bytes.extend([0; 4]);
        put_varint(&mut bytes, self.token_count);
        put_varint(&mut bytes, self.run_count);
        for &run in &self.runs {
            put_varint(&mut bytes, run);
        }
        bytes.extend(&self.literals);
        put_varint(&mut bytes, self.cells);
        put_varint(&mut bytes, self.block);
        put_varint(&mut bytes, self.lane_count);
        for &length in &self.lanes {
            put_varint(&mut bytes, length);
            bytes.extend(crc32fast::hash(&vec![0; length.min(1000) as usize]).to_le_bytes());
        }
        put_crc32(&mut bytes, 0);
        bytes.extend(vec![0; self.streams]);
        read_frame(&bytes)
    }
}

#[test]
fn forged_frames_are_refused() {
    let good = Forged {
        plain_length: 20,
        token_count: 10,
        run_count: 3,
        runs: vec![2 * 4, 2 * 2 + 1, 2 * 6],
        literals: vec![1, 2],
        cells: 48,
        block: 64,
        lane_count: 2,
        lanes: vec![7, 8],
        streams: 15,
    };
    assert!(good.read().is_ok());
    let check = |expected: &str, forge: &dyn Fn(&mut Forged)| {
        let mut forged = good.clone();
        forge(&mut forged);
        format_error(forged.read(), expected);
    };
    check("plain length", &|forged| forged.plain_length = 0);
    check("plain length", &|forged| forged.plain_length = (1 << 24) + 1);
    check("token count", &|forged| forged.token_count = 0);
    check("token count", &|forged| forged.token_count = 21);
    check("run count", &|forged| forged.run_count = 21);
    check("a run", &|forged| forged.runs[0] = 0);
    check("a run", &|forged| forged.runs[1] = 1);
    check("a run", &|forged| forged.runs[1] = 2 * 21 + 1);
    check("add up", &|forged| forged.runs[2] = 2 * 5);
    check("add up", &|forged| forged.runs[2] = 2 * 7);
    check("add up", &|forged| forged.runs = vec![2 * 10, 2 * 11 + 1, 2 * 10 + 1]);
    check("number of cells", &|forged| forged.cells = 1);
    check("number of cells", &|forged| forged.cells = 4097);
    check("block length", &|forged| forged.block = 0);
    check("block length", &|forged| forged.block = 4097);
    check("number of lanes", &|forged| forged.lane_count = 0);
    check("number of lanes", &|forged| forged.lane_count = 11);
    check("stream length", &|forged| forged.lanes[0] = 0);
    // 5 tokens of depth 11 in one block of 32 offsets.
    check("stream length", &|forged| forged.lanes[0] = 8 + 2 * 11 * 5 + 2 * 32 + 1);
    check("a lane's stream", &|forged| forged.streams = 14);
    check("a lane's stream", &|forged| forged.lanes[0] = 8 + 2 * 11 * 5 + 2 * 32);
    let many = Forged {
        plain_length: 1000,
        token_count: 1000,
        run_count: 0,
        runs: Vec::new(),
        literals: Vec::new(),
        lane_count: 257,
        ..good.clone()
    };
    format_error(many.read(), "number of lanes");
}
