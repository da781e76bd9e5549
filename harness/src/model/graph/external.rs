//! Owns where a weight lies that is not in the ONNX file: the file beside it, and the bytes there. What else a tensor may say of
//! its place is refused, because the model's SHA-256 covers no more than these files. It opens none.

use std::collections::BTreeMap;

use super::not_onnx;
use super::wire::{Fields, Value};
use crate::Result;

/// How many files of weights a model may have beside the ONNX file: as many as transformers.js loads.
pub const MAX_DATA_FILES: usize = 100;
/// How long the name of such a file may be, in bytes.
const MAX_FILE_NAME: usize = 255;
/// Digits of an offset or a length: more than any file has.
const MAX_DIGITS: usize = 15;

/// Whether `name` is that of a file beside the ONNX file, whatever the system: printable ASCII without `/`, `\` and `:`.
#[must_use]
pub fn is_data_file_name(name: &str) -> bool {
    let plain = |byte: u8| (0x20..=0x7E).contains(&byte) && !b"/\\:".contains(&byte);
    !["", ".", ".."].contains(&name) && name.len() <= MAX_FILE_NAME && name.bytes().all(plain)
}

/// Whether a tensor's bytes lie in another file.
pub(super) fn is_external(tensor: &[u8]) -> Result<bool> {
    for field in Fields::new(tensor) {
        if matches!(field?, (13, Value::Bytes(_)) | (14, Value::Varint(1))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Notes where a tensor lies that is in another file: by the file's name, the end of the part of it that is used.
pub(super) fn read_place(tensor: &[u8], ends: &mut BTreeMap<String, u64>) -> Result<()> {
    let (mut location, mut offset, mut length) = (None, None, None);
    for field in Fields::new(tensor) {
        let (13, Value::Bytes(entry)) = field? else { continue };
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        for field in Fields::new(entry) {
            match field? {
                (1, Value::Bytes(text)) => key = text,
                (2, Value::Bytes(text)) => value = text,
                _ => {}
            }
        }
        let slot = match key {
            b"location" => &mut location,
            b"offset" => &mut offset,
            b"length" => &mut length,
            b"checksum" => continue,
            _ => {
                return Err(not_onnx(
                    "a weight in another file says more of its place than is known",
                ));
            }
        };
        if slot.replace(value).is_some() {
            return Err(not_onnx("a weight in another file has two places"));
        }
    }
    let name = location.and_then(|name| std::str::from_utf8(name).ok());
    let name = name
        .filter(|name| is_data_file_name(name))
        .ok_or_else(|| not_onnx("a weight lies in a file that has no plain name, or is not beside the model file"))?;
    let (Some(offset), Some(length)) = (number(offset.unwrap_or(b"0")), length.and_then(number)) else {
        return Err(not_onnx("a weight in another file has no proper offset and length"));
    };
    if ends.len() >= MAX_DATA_FILES && !ends.contains_key(name) {
        return Err(not_onnx("its weights lie in too many files"));
    }
    let end = ends.entry(name.to_owned()).or_insert(0);
    *end = (*end).max(offset + length);
    Ok(())
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
