//! Owns the coder of FORMAT.md sections 5 to 8: from rows of logits and tokens to lane streams, and back. It knows nothing of
//! containers, text, models or files.

pub mod arithmetic_coder;
pub mod block;
pub mod grid;
pub mod lane_paths;
pub mod overhead;
pub mod tree;

#[cfg(test)]
mod testing;
