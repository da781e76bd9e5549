//! Owns the golden data: the vectors that the three codecs are held to, and what a model gave on a named writer, which machines
//! are held to. It must not decide what is right; it records what was answered and says what differs.

mod beside;
pub mod check;
pub mod codec_vectors;
mod folder;
pub mod record;
pub mod recorded;
pub mod synthetic;
pub mod table;
pub mod write;

pub use check::check;
pub use write::write;

/// The command that makes a model's goldens anew.
#[must_use]
pub fn repair_command(model: &str) -> String {
    format!("cargo run -- golden write --model {model}")
}
