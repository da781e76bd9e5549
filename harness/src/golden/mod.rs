//! Owns the golden data that the three codecs are held to: what it is made from and how it is written. It must not decide what is
//! right; it records what the codec does.

pub mod codec_vectors;
pub mod synthetic;
