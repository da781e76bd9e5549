//! Owns the contents of `golden/codec/vectors.json`, described in `golden/codec/README.md`. Floats are written as the hex digits of their
//! bits.

mod coder;
mod containers;
mod lanes;
mod trees;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::codec::grid::probability_table;

/// The vectors of the codec: one list per kind, the lists in the order of their names.
///
/// # Errors
/// Those of the codec; a defect, since nothing here comes from outside.
pub fn codec_vectors() -> Result<Value> {
    let table: Vec<u8> = probability_table()
        .iter()
        .flat_map(|entry| entry.to_le_bytes())
        .collect();
    Ok(sorted(json!({
        "adaptive_bits": coder::adaptive_bits(),
        "bit_costs": coder::bit_costs(),
        "cells": coder::cells(),
        "coder_streams": coder::coder_streams(),
        "containers": containers::containers()?,
        "lanes": lanes::lanes()?,
        "leader_guards": coder::leader_guards(),
        "leaders": trees::leaders()?,
        "leads": coder::leads(),
        "offset_numerators": coder::offset_numerators(),
        "parameters": lanes::parameters(),
        "positions": coder::positions(),
        "probability_indices": coder::probability_indices(),
        "probability_table_sha256": hex(&Sha256::digest(&table)),
        "tree_depths": trees::tree_depths(),
        "trees": trees::trees()?,
    })))
}

/// The text of `vectors.json`: a line per vector, so that a change shows where it is.
///
/// # Errors
/// Those of [`codec_vectors`].
pub fn codec_vectors_text() -> Result<String> {
    let mut text = String::from("{\n");
    let vectors = codec_vectors()?;
    let sections = vectors.as_object().into_iter().flatten();
    let lines: Vec<String> = sections
        .map(|(name, value)| match value.as_array() {
            Some(vectors) => {
                let vectors: Vec<String> = vectors.iter().map(|vector| format!("    {vector}")).collect();
                format!("  \"{name}\": [\n{}\n  ]", vectors.join(",\n"))
            }
            None => format!("  \"{name}\": {value}"),
        })
        .collect();
    text += &lines.join(",\n");
    text += "\n}\n";
    Ok(text)
}

/// The same value with all keys in alphabetical order, whether or not a build of serde_json keeps insertion order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(entries))
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        other => other,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn f64_bits(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}

fn f32_bits(value: f32) -> String {
    format!("{:08x}", value.to_bits())
}

#[cfg(test)]
mod tests;
