//! LLMzip's conformance harness and the Rust implementation of the codec.
//!
//! The map of the crate is in `ARCHITECTURE.md` at the root of the repository.

pub mod alignment;
pub mod archive;
pub mod bench;
pub mod cli;
pub mod codec;
pub mod compare;
pub mod compressor;
pub mod conform;
pub mod container;
pub mod error;
pub mod files;
pub mod golden;
pub mod interrupt;
pub mod logprobs;
pub mod model;
pub mod models;
pub mod report;
pub mod runner;
pub mod setup;
pub mod smoke;
pub mod stdio;
pub mod timing;

pub use error::{Error, ErrorCode, Result};
