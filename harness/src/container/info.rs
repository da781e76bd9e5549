//! Owns what a container tells without its model: the head's fields and the totals of its frames, each held to its limits and its
//! crc32s. One frame at a time is in memory. It knows no names of models.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::layout::{Frame, Preamble};
use super::reader::ContainerReader;
use crate::model::provenance::Hash;
use crate::{Error, Result};

/// What a whole container tells without its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerInfo {
    /// The head.
    pub preamble: Preamble,
    /// How many frames are coded.
    pub coded_frames: u64,
    /// How many frames are stored.
    pub stored_frames: u64,
    /// The fewest and the most lanes of a coded frame; none where no frame is coded.
    pub lanes: Option<(usize, usize)>,
    /// The tokens of all coded frames.
    pub tokens: u64,
    /// How many bytes it stands for.
    pub plain_bytes: u64,
    /// Their SHA-256, as the end states it.
    pub plain_sha256: Hash,
    /// Whether that was held to the bytes: it can be where every frame is stored.
    pub plain_is_verified: bool,
    /// The length of the container.
    pub container_bytes: u64,
}

impl ContainerInfo {
    /// Plain bytes per byte of the container, in thousandths, rounded; none of an empty input.
    #[must_use]
    pub const fn ratio_thousandths(&self) -> Option<u64> {
        if self.plain_bytes == 0 {
            return None;
        }
        let (plain, container) = (self.plain_bytes as u128, self.container_bytes as u128);
        // Whole numbers, so that every language rounds alike.
        Some(((2000 * plain + container) / (2 * container)) as u64)
    }
}

/// Reads all of a container and checks what can be checked without its model: limits, order, every crc32, that nothing follows the
/// end, and the SHA-256 where every frame is stored.
///
/// # Errors
/// `format` when it is damaged or none, `io`.
pub fn read_info<R: Read>(input: R) -> Result<ContainerInfo> {
    let mut reader = ContainerReader::open(input)?;
    let (mut coded_frames, mut stored_frames, mut lanes) = (0, 0, None);
    let (mut tokens, mut plain_bytes) = (0, 0);
    let mut stored_sha256 = Sha256::new();
    let plain_sha256 = loop {
        match reader.next_frame()? {
            Frame::Coded(frame) => {
                coded_frames += 1;
                tokens += frame.token_count as u64;
                plain_bytes += frame.plain_length as u64;
                let count = frame.streams.len();
                let (least, most) = lanes.unwrap_or((count, count));
                lanes = Some((count.min(least), count.max(most)));
            }
            Frame::Stored(frame) => {
                stored_frames += 1;
                plain_bytes += frame.plain.len() as u64;
                stored_sha256.update(&frame.plain);
            }
            Frame::End(end) => break end.plain_sha256,
        }
    };
    let plain_is_verified = coded_frames == 0;
    let stored_sha256 = Hash(stored_sha256.finalize().into());
    if plain_is_verified && stored_sha256 != plain_sha256 {
        return Err(Error::format(format!(
            "the SHA-256 of the {plain_bytes} plain bytes is {stored_sha256} and not {plain_sha256}"
        )));
    }
    Ok(ContainerInfo {
        preamble: reader.preamble().clone(),
        coded_frames,
        stored_frames,
        lanes,
        tokens,
        plain_bytes,
        plain_sha256,
        plain_is_verified,
        container_bytes: reader.offset(),
    })
}

#[cfg(test)]
mod tests;
