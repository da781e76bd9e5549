//! Owns everything between token ids and rows of logits: the ONNX session, the context policy, the tokenizer and the
//! provenance of model files. It knows nothing of codecs, containers, runners or reports.

mod cache;
pub mod config;
pub mod context;
pub mod exactness;
pub mod fingerprint;
pub mod graph;
pub mod loaded;
pub mod model_files;
mod passes;
pub mod provenance;
pub mod provider;
pub mod runtime;
pub mod session;
pub mod signature;
pub mod source;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokenizer;
pub mod witness;
