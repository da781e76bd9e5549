//! Owns the layout of FORMAT.md section 2: the preamble, the two kinds of frame and the end, as bytes. Everything that is read is
//! within its limits and has the right crc32, or is an error.

mod frame;
mod preamble;

pub use frame::{CodedFrame, End, Frame, Run, StoredFrame};
pub use preamble::{Preamble, VERSION};

/// The most plain bytes that a frame may have.
pub const MAX_FRAME_BYTES: u64 = 1 << 24;

#[cfg(test)]
mod tests;
