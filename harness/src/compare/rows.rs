//! Owns the reading of the files that a runner's `logprobs` leaves behind: logits, a row per token, and the coded tokens'
//! log-probs. One row is in memory at a time; a file of another length than it must have is refused before it is read.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use half::f16;

use crate::files::open_written_of;
use crate::model::source::LogitsType;
use crate::{Error, Result};

/// A file of rows.
#[derive(Clone, Debug)]
pub struct RowsFile {
    /// Where it is.
    pub path: PathBuf,
    /// How many rows it holds.
    pub rows: usize,
    /// Values in a row.
    pub vocab_size: usize,
    /// Their type.
    pub logits_type: LogitsType,
}

impl RowsFile {
    /// Bytes in a row.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        self.vocab_size
            * match self.logits_type {
                LogitsType::Float32 => 4,
                LogitsType::Float16 => 2,
            }
    }

    /// Opens the file.
    ///
    /// # Errors
    /// `runner` when its length is not that of its rows, `io` when it cannot be read.
    pub fn open(&self) -> Result<RowsReader> {
        let file = open_written_of(&self.path, (self.rows * self.row_bytes()) as u64)?;
        Ok(RowsReader {
            spec: self.clone(),
            file: BufReader::with_capacity(1 << 16, file),
            bytes: vec![0; self.row_bytes()],
            logits: vec![0.0; self.vocab_size],
        })
    }
}

/// Reads a [`RowsFile`] row by row.
#[derive(Debug)]
pub struct RowsReader {
    spec: RowsFile,
    file: BufReader<File>,
    bytes: Vec<u8>,
    logits: Vec<f64>,
}

impl RowsReader {
    /// Reads the next row.
    ///
    /// # Errors
    /// `io`.
    pub fn advance(&mut self) -> Result<()> {
        self.file
            .read_exact(&mut self.bytes)
            .map_err(|source| Error::io("read a row of", &self.spec.path, &source))
    }

    /// The row's bytes as the runner wrote them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The row's logits, widened to binary64.
    pub fn logits(&mut self) -> &[f64] {
        match self.spec.logits_type {
            LogitsType::Float32 => {
                for (value, bytes) in self.logits.iter_mut().zip(self.bytes.chunks_exact(4)) {
                    *value = f64::from(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
                }
            }
            LogitsType::Float16 => {
                for (value, bytes) in self.logits.iter_mut().zip(self.bytes.chunks_exact(2)) {
                    *value = f64::from(f16::from_le_bytes([bytes[0], bytes[1]]));
                }
            }
        }
        &self.logits
    }
}

/// Reads a file of `count` binary64 values, little-endian.
///
/// # Errors
/// `runner` when the file has another length, `io` when it cannot be read.
pub fn read_coded(path: &Path, count: usize) -> Result<Vec<f64>> {
    let mut bytes = Vec::new();
    let length = count as u64 * 8;
    open_written_of(path, length)?
        .take(length)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::io("read", path, &source))?;
    Ok(coded_of(&bytes))
}

/// The binary64 values, little-endian, in `bytes`.
#[must_use]
pub fn coded_of(bytes: &[u8]) -> Vec<f64> {
    let (values, _) = bytes.as_chunks::<8>();
    values.iter().map(|value| f64::from_le_bytes(*value)).collect()
}
