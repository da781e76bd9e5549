//! Owns which files lie beside a model's `header.json`, and the form of those that are written here. It reads and writes no file.

use super::record::Asked;
use crate::compare::rows;

/// The folder of a variant's files: the name behind the model's.
fn variant_folder(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, variant)| variant)
}

/// The file of the sequence's tokens: a JSON list.
#[must_use]
pub fn tokens_path(name: &str) -> String {
    format!("{}/tokens.json", variant_folder(name))
}

/// The file of the graph's view, as `inspect` answers it.
#[must_use]
pub fn inspect_path(name: &str) -> String {
    format!("{}/inspect.json", variant_folder(name))
}

/// The file of the coded tokens' log-probs: binary64, little-endian, one per token.
#[must_use]
pub fn coded_path(name: &str, plan: &str) -> String {
    format!("{}/{plan}.f64", variant_folder(name))
}

/// The file of an input's container.
#[must_use]
pub fn container_path(name: &str, input: &str) -> String {
    let words: Vec<String> = input
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    format!("{}/{}.llmzip", variant_folder(name), words.join("-"))
}

/// Every file of what was asked, in the order in which the header lists them.
#[must_use]
pub fn paths(asked: &[Asked]) -> Vec<String> {
    let mut paths: Vec<String> = asked
        .iter()
        .flat_map(|asked| {
            let name = asked.name.as_str();
            [tokens_path(name), inspect_path(name)]
                .into_iter()
                .chain(asked.plans.iter().map(|plan| coded_path(name, &plan.name)))
                .chain(asked.inputs.iter().map(|input| container_path(name, &input.name)))
                .collect::<Vec<_>>()
        })
        .collect();
    paths.sort();
    paths
}

/// The text of `tokens.json`.
#[must_use]
pub fn tokens_text(ids: &[u32]) -> String {
    let line = |ids: &[u32]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let lines: Vec<String> = ids.chunks(25).map(line).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// The bytes of a file of log-probs.
#[must_use]
pub fn coded_bytes(coded: &[f64]) -> Vec<u8> {
    coded.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The log-probs in a file's bytes; none when their number is another.
#[must_use]
pub fn coded_of(bytes: &[u8], count: usize) -> Option<Vec<f64>> {
    (bytes.len() == count * 8).then(|| rows::coded_of(bytes))
}
