//! Owns the second half of a run: every runner reads what every runner wrote. Containers that are equal to the byte are read
//! once by each.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Target;
use super::asking::{Asking, Log};
use super::collect::Collected;
use super::inputs::{Input, sha256};
use crate::files::open_written;
use crate::report::{Report, RoundTripEntry};
use crate::runner::protocol::{Decompress, DecompressResult};
use crate::{Error, Result};

/// A container to be read, known by its input and its SHA-256.
#[derive(Clone, Debug)]
pub struct Container {
    input: String,
    sha256: String,
    path: PathBuf,
    writer: String,
}

/// What came of reading one container.
#[derive(Debug)]
enum Reading {
    /// The bytes came back.
    Plain(DecompressResult),
    /// Other bytes came back.
    Wrong(String),
    /// The runner does not read it here, and said why.
    Skipped,
}

/// What a runner read, by input and SHA-256 of the container.
#[derive(Debug, Default)]
pub struct Read {
    runner: String,
    containers: BTreeMap<(String, String), Reading>,
    /// Failures, skips and times.
    pub log: Log,
}

/// Every different container, once.
pub fn containers(collected: &[Collected], inputs: &[Input]) -> Vec<Container> {
    let mut containers: Vec<Container> = Vec::new();
    for input in inputs {
        for answers in collected {
            let Some(written) = answers.containers.get(&input.name) else {
                continue;
            };
            if !containers
                .iter()
                .any(|container| container.input == input.name && container.sha256 == written.sha256)
            {
                containers.push(Container {
                    input: input.name.clone(),
                    sha256: written.sha256.clone(),
                    path: written.path.clone(),
                    writer: answers.runner.clone(),
                });
            }
        }
    }
    containers
}

/// Lets a runner read every container.
pub fn read_back(mut asking: Asking<'_>, containers: &[Container], inputs: &[Input], folder: &Path) -> Read {
    let mut read = Read {
        runner: asking.name().to_owned(),
        ..Read::default()
    };
    for (index, container) in containers.iter().enumerate() {
        let output_file = folder.join(format!("{index}.plain"));
        let request = Decompress {
            input_file: container.path.clone(),
            output_file: output_file.clone(),
        };
        let label = format!("decompress {} by {}", container.input, container.writer);
        let skips = asking.log.skips.len();
        let key = (container.input.clone(), container.sha256.clone());
        let Some(result) = asking.ask(&label, &request) else {
            if asking.log.skips.len() > skips {
                read.containers.insert(key, Reading::Skipped);
            }
            continue;
        };
        let Some(input) = inputs.iter().find(|input| input.name == container.input) else {
            continue;
        };
        let outcome = match check_plain(&output_file, input) {
            Ok(None) => Reading::Plain(result),
            Ok(Some(wrong)) => Reading::Wrong(wrong),
            Err(error) => {
                asking.fail(&label, error);
                continue;
            }
        };
        read.containers.insert(key, outcome);
    }
    read.log = asking.log;
    read
}

/// Holds the file that the runner wrote to the input itself, not to what the runner says of it.
fn check_plain(path: &Path, input: &Input) -> Result<Option<String>> {
    let (file, length) = open_written(path)?;
    let expected = input.bytes.len() as u64;
    let mut bytes = Vec::new();
    // No further than what is expected: the rest is wrong whatever it holds.
    file.take(expected)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::io("read", path, &source))?;
    if length == expected && bytes == input.bytes {
        return Ok(None);
    }
    let place = bytes
        .iter()
        .zip(&input.bytes)
        .position(|(a, b)| a != b)
        .unwrap_or(bytes.len().min(input.bytes.len()));
    Ok(Some(format!(
        "{expected} bytes came back as {length}; they differ from byte {place} on"
    )))
}

/// Adds a row for every encoder, decoder and input to the report.
pub fn sum_up(target: &Target, inputs: &[Input], collected: &[Collected], read: &[Read], report: &mut Report) {
    for input in inputs {
        for answers in collected {
            let Some(written) = answers.containers.get(&input.name) else {
                continue;
            };
            for reader in read.iter().filter(|reader| !reader.runner.is_empty()) {
                let outcome = reader.containers.get(&(input.name.clone(), written.sha256.clone()));
                let detail = match outcome {
                    None => "it was not read; see the failed requests".to_owned(),
                    Some(Reading::Skipped) => continue,
                    Some(Reading::Wrong(wrong)) => wrong.clone(),
                    Some(Reading::Plain(result)) => disagreement(input, written, result),
                };
                report.round_trips.push(RoundTripEntry {
                    model: target.name.clone(),
                    encoder: answers.runner.clone(),
                    decoder: reader.runner.clone(),
                    input: input.name.clone(),
                    lanes: input.lanes,
                    eps: target.eps.parse().unwrap_or(f64::NAN),
                    ok: detail.is_empty(),
                    plain_bytes: input.bytes.len() as u64,
                    container_bytes: written.result.container_bytes,
                    tokens: written.result.tokens,
                    stream_bytes: written.result.stream_bytes,
                    entropy_bits: written.result.entropy_bits,
                    container_sha256: written.sha256.clone(),
                    detail,
                });
            }
        }
    }
}

/// What encoder and decoder say differently of the same container; empty when they agree.
fn disagreement(input: &Input, written: &super::collect::Written, read: &DecompressResult) -> String {
    let plain = sha256(&input.bytes);
    if written.result.plain_sha256 != plain || read.plain_sha256 != plain {
        return format!(
            "the plain SHA-256 is {plain}; encoder {}, decoder {}",
            written.result.plain_sha256, read.plain_sha256
        );
    }
    if (written.result.tokens, &written.result.tokens_sha256) != (read.tokens, &read.tokens_sha256) {
        return format!(
            "{} tokens were written and {} others read",
            written.result.tokens, read.tokens
        );
    }
    String::new()
}
