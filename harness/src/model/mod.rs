//! Owns everything between token ids and rows of logits: the ONNX session, the context policy, the tokenizer and the
//! provenance of model files. It knows nothing of codecs, containers, runners or reports.

pub mod context;
pub mod source;
