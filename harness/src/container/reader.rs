//! Owns the order of a container's parts for a reader: one preamble, frames, one end, nothing after it.

use std::io::Read;

use crate::Result;
use crate::container::bytes::ByteReader;
use crate::container::layout::{Frame, Preamble};

/// Reads a container part by part.
#[derive(Debug)]
pub struct ContainerReader<R> {
    reader: ByteReader<R>,
    preamble: Preamble,
}

impl<R: Read> ContainerReader<R> {
    /// Reads the preamble, so that a caller can find the model that the container needs.
    ///
    /// # Errors
    /// `format` when `input` is no container or is damaged, `io`.
    pub fn open(input: R) -> Result<Self> {
        let mut reader = ByteReader::new(input);
        let preamble = Preamble::read(&mut reader)?;
        Ok(Self { reader, preamble })
    }

    /// The container's head.
    #[must_use]
    pub const fn preamble(&self) -> &Preamble {
        &self.preamble
    }

    /// How many bytes of the container were read.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.reader.offset()
    }

    /// The next frame. After [`Frame::End`] there is none.
    ///
    /// # Errors
    /// `format` when it is damaged, `io`.
    pub fn next_frame(&mut self) -> Result<Frame> {
        Frame::read(&mut self.reader, &self.preamble)
    }
}
