//! Owns the bytes of a container (FORMAT.md sections 2 and 3): fields, limits, checks and runs. It knows nothing of models, and of
//! streams only how long they may be.

pub mod bytes;
pub mod eps;
pub mod info;
pub mod layout;
pub mod reader;
pub mod runs;
