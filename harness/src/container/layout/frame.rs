//! Owns the frames and the end.

use std::io::Read;

use super::{MAX_FRAME_BYTES, Preamble};
use crate::codec::block::{MAX_BLOCK, Parameters};
use crate::codec::grid::MAX_CELLS;
use crate::codec::tree::tree_depth;
use crate::container::bytes::{ByteReader, put_crc32, put_varint};
use crate::model::context::{MAX_LANES, lane_ranges};
use crate::model::provenance::Hash;
use crate::{Error, Result};

const KIND_END: u8 = 0;
const KIND_CODED: u8 = 1;
const KIND_STORED: u8 = 2;

/// A stretch of a frame's plain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// So many tokens.
    Text(usize),
    /// So many bytes as they are.
    Literal(usize),
}

/// What follows the preamble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A frame whose text is in lane streams.
    Coded(CodedFrame),
    /// A frame as it is.
    Stored(StoredFrame),
    /// The end of the container.
    End(End),
}

impl Frame {
    /// Reads the next frame, or the end.
    ///
    /// # Errors
    /// `format` when it is damaged, `io`.
    pub fn read<R: Read>(reader: &mut ByteReader<R>, preamble: &Preamble) -> Result<Self> {
        reader.start_crc32();
        match reader.byte("a frame's kind")? {
            KIND_CODED => CodedFrame::read(reader, preamble).map(Self::Coded),
            KIND_STORED => StoredFrame::read(reader).map(Self::Stored),
            KIND_END => End::read(reader).map(Self::End),
            kind => Err(Error::format(format!(
                "the frame at byte {} is of the unknown kind {kind}",
                reader.offset() - 1
            ))),
        }
    }
}

/// A frame whose text is in lane streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodedFrame {
    /// How many plain bytes the frame stands for, `1 ..= 2^24`.
    pub plain_length: usize,
    /// Their crc32.
    pub plain_crc32: u32,
    /// How many tokens its text runs have, `1 ..= plain_length`.
    pub token_count: usize,
    /// Its runs, at least one.
    pub runs: Vec<Run>,
    /// The bytes of all literal runs, in order.
    pub literals: Vec<u8>,
    /// N and B.
    pub parameters: Parameters,
    /// The lanes' streams, `1 ..= min(token_count, 256)`.
    pub streams: Vec<Vec<u8>>,
}

impl CodedFrame {
    /// The frame's bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![KIND_CODED];
        put_varint(&mut bytes, self.plain_length as u64);
        bytes.extend(self.plain_crc32.to_le_bytes());
        put_varint(&mut bytes, self.token_count as u64);
        if self.runs == [Run::Text(self.token_count)] {
            put_varint(&mut bytes, 0);
        } else {
            put_varint(&mut bytes, self.runs.len() as u64);
            for run in &self.runs {
                let (length, kind) = match *run {
                    Run::Text(tokens) => (tokens, 0),
                    Run::Literal(bytes) => (bytes, 1),
                };
                put_varint(&mut bytes, 2 * length as u64 + kind);
            }
        }
        bytes.extend(&self.literals);
        put_varint(&mut bytes, u64::from(self.parameters.cells));
        put_varint(&mut bytes, self.parameters.block as u64);
        put_varint(&mut bytes, self.streams.len() as u64);
        for stream in &self.streams {
            put_varint(&mut bytes, stream.len() as u64);
            bytes.extend(crc32fast::hash(stream).to_le_bytes());
        }
        put_crc32(&mut bytes, 0);
        bytes.extend(self.streams.iter().flatten());
        bytes
    }

    fn read<R: Read>(reader: &mut ByteReader<R>, preamble: &Preamble) -> Result<Self> {
        let plain_length = reader.varint("a frame's plain length", 1..=MAX_FRAME_BYTES)?;
        let plain_crc32 = reader.u32("a frame's plain crc32")?;
        let token_count = reader.varint("a frame's token count", 1..=plain_length)?;
        let runs = read_runs(reader, plain_length, token_count)?;
        let literal_bytes = runs.iter().map(|run| match *run {
            Run::Text(_) => 0,
            Run::Literal(bytes) => bytes as u64,
        });
        let literals = reader.bytes("a frame's literals", literal_bytes.sum())?;
        let cells = reader.varint("a frame's number of cells", 2..=u64::from(MAX_CELLS))?;
        let block = reader.varint("a frame's block length", 1..=MAX_BLOCK as u64)?;
        let lanes = reader.varint("the number of lanes", 1..=token_count.min(MAX_LANES as u64))?;
        let mut heads = Vec::new();
        let depth = u64::from(tree_depth(preamble.vocab_size));
        for lane in lane_ranges(token_count as usize, lanes as usize) {
            let tokens = lane.len() as u64;
            let limit = 8 + 2 * depth * tokens + 2 * u64::from(preamble.offsets) * tokens.div_ceil(block);
            let length = reader.varint("a lane's stream length", 1..=limit)?;
            heads.push((length, reader.u32("a lane's crc32")?));
        }
        reader.check_crc32("a frame's head")?;
        let mut streams = Vec::new();
        for (lane, (length, expected)) in heads.into_iter().enumerate() {
            let stream = reader.bytes("a lane's stream", length)?;
            let actual = crc32fast::hash(&stream);
            if actual != expected {
                return Err(Error::format(format!(
                    "the crc32 of lane {lane}'s stream, which ends at byte {}, is {actual:08x} and not {expected:08x}",
                    reader.offset()
                )));
            }
            streams.push(stream);
        }
        Ok(Self {
            plain_length: plain_length as usize,
            plain_crc32,
            token_count: token_count as usize,
            runs,
            literals,
            parameters: Parameters {
                cells: cells as u32,
                block: block as usize,
            },
            streams,
        })
    }
}

fn read_runs<R: Read>(reader: &mut ByteReader<R>, plain_length: u64, token_count: u64) -> Result<Vec<Run>> {
    let run_count = reader.varint("a frame's run count", 0..=plain_length)?;
    if run_count == 0 {
        return Ok(vec![Run::Text(token_count as usize)]);
    }
    let (mut tokens, mut literal_bytes) = (0, 0);
    let mut runs = Vec::new();
    for _ in 0..run_count {
        let run = reader.varint("a run", 2..=2 * plain_length + 1)?;
        let length = run / 2;
        if run % 2 == 0 {
            tokens += length;
            runs.push(Run::Text(length as usize));
        } else {
            literal_bytes += length;
            runs.push(Run::Literal(length as usize));
        }
        if tokens > token_count || literal_bytes > plain_length {
            break;
        }
    }
    if tokens != token_count || literal_bytes > plain_length {
        return Err(Error::format(format!(
            "the runs before byte {} do not add up to the {token_count} tokens of a frame of {plain_length} bytes",
            reader.offset()
        )));
    }
    Ok(runs)
}

/// A frame as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFrame {
    /// The plain bytes, `1 ..= 2^24` of them.
    pub plain: Vec<u8>,
}

impl StoredFrame {
    /// The bytes of a frame that stores `plain`.
    #[must_use]
    pub fn write(plain: &[u8]) -> Vec<u8> {
        let mut bytes = vec![KIND_STORED];
        put_varint(&mut bytes, plain.len() as u64);
        bytes.extend(crc32fast::hash(plain).to_le_bytes());
        put_crc32(&mut bytes, 0);
        bytes.extend(plain);
        bytes
    }

    fn read<R: Read>(reader: &mut ByteReader<R>) -> Result<Self> {
        let plain_length = reader.varint("a frame's plain length", 1..=MAX_FRAME_BYTES)?;
        let plain_crc32 = reader.u32("a frame's plain crc32")?;
        reader.check_crc32("a frame's head")?;
        let plain = reader.bytes("a stored frame's bytes", plain_length)?;
        if crc32fast::hash(&plain) != plain_crc32 {
            return Err(Error::format(format!(
                "the crc32 of the stored frame that ends at byte {} is not {plain_crc32:08x}",
                reader.offset()
            )));
        }
        Ok(Self { plain })
    }
}

/// The end of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// SHA-256 of all plain bytes.
    pub plain_sha256: Hash,
}

impl End {
    /// The end's bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![KIND_END];
        bytes.extend(self.plain_sha256.0);
        bytes
    }

    fn read<R: Read>(reader: &mut ByteReader<R>) -> Result<Self> {
        let plain_sha256 = Hash(reader.array("the plain SHA-256")?);
        if !reader.at_end()? {
            return Err(Error::format(format!(
                "bytes follow the container's end at byte {}",
                reader.offset()
            )));
        }
        Ok(Self { plain_sha256 })
    }
}
