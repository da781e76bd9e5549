//! Owns the proof that a text which a tokenizer does not give back survives in a container: every runner writes one, and every runner reads it.

use std::fs;
use std::path::Path;

use super::answers::Reader;
use crate::conform::Target;
use crate::runner::protocol::{Compress, Decompress};
use crate::{Error, Result};

/// Larger than any text here.
const FRAME_BYTES: u32 = 1 << 20;

/// The runners that read other bytes than were written, as `reader of writer`.
pub(super) fn lost_by(target: &Target, readers: &mut [Reader], texts: &[String], folder: &Path) -> Result<Vec<String>> {
    let mut lost = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let input_file = folder.join(format!("{number}.txt"));
        fs::write(&input_file, text).map_err(|source| Error::io("write", &input_file, &source))?;
        for writer in 0..readers.len() {
            let container = folder.join(format!("{number}-{writer}.llmzip"));
            readers[writer].answer(&Compress {
                input_file: input_file.clone(),
                output_file: container.clone(),
                lanes: 1,
                eps: target.eps.clone(),
                start_token: target.start_token,
                window: target.window,
                overlap: target.overlap,
                frame_bytes: FRAME_BYTES,
            })?;
            for reader in 0..readers.len() {
                let output_file = folder.join(format!("{number}-{writer}-{reader}.txt"));
                readers[reader].answer(&Decompress {
                    input_file: container.clone(),
                    output_file: output_file.clone(),
                })?;
                let bytes = fs::read(&output_file).map_err(|source| Error::io("read", &output_file, &source))?;
                if bytes != text.as_bytes() {
                    lost.push(format!("{} of {}", readers[reader].name(), readers[writer].name()));
                }
            }
        }
    }
    Ok(lost)
}
