//! Owns the steps around containers: what the runner writes against FORMAT.md, and what it must refuse to read.

use std::fs;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::session::{Session, TEXT, missing, wrong};
use super::{StepResult, Trouble};
use crate::bench::check as check_bench;
use crate::conform::inputs::sha256;
use crate::container::layout::Frame;
use crate::container::reader::ContainerReader;
use crate::files::open_written_of;
use crate::model::provenance::Hash;
use crate::runner::Runner as _;
use crate::runner::protocol::{Bench, Compress, CompressResult, Decompress};
use crate::{Error, ErrorCode, Result};

/// Small enough that the input takes several frames, of which one is text that a model predicts.
const FRAME_BYTES: u32 = 512;
const LANES: u32 = 2;
/// Counting goes so far, before the text and bytes that are no text.
const COUNT: usize = 200;
const NO_TEXT: [u8; 4] = [0xFF, 0xC0, 0x80, 0x00];

fn plain() -> Vec<u8> {
    let counting: Vec<String> = (1..=COUNT).map(|number| number.to_string()).collect();
    let mut bytes = (counting.join("\n") + TEXT).into_bytes();
    bytes.extend(NO_TEXT);
    bytes
}

pub fn compress(session: &mut Session<'_>) -> StepResult {
    session.loaded()?;
    let (path, result) = compress_bytes(session, "text", &plain())?;
    if result.tokens == 0 || result.stream_bytes == 0 || result.entropy_bits <= 0.0 {
        return wrong("it coded no token of a text");
    }
    session.container = Some((path, result));
    Ok(())
}

pub fn compress_nothing(session: &mut Session<'_>) -> StepResult {
    session.loaded()?;
    compress_bytes(session, "nothing", b"")?;
    Ok(())
}

pub fn bench(session: &mut Session<'_>) -> StepResult {
    session.loaded()?;
    let plain = plain();
    let input_file = session.folder.join("timed");
    write(&input_file, &plain)?;
    let request = Bench {
        input_file,
        lanes: LANES,
        eps: session.target.eps.clone(),
        start_token: session.target.start_token,
        window: session.target.window,
        overlap: session.target.overlap,
        runs: 2,
    };
    let result = session.ask(&request)?;
    Ok(check_bench(
        session.runner.name(),
        &request,
        &result,
        plain.len() as u64,
    )?)
}

fn compress_bytes(session: &mut Session<'_>, name: &str, plain: &[u8]) -> Result<(PathBuf, CompressResult), Trouble> {
    let input_file = session.folder.join(name);
    write(&input_file, plain)?;
    let request = Compress {
        input_file,
        output_file: session.folder.join(format!("{name}.llmzip")),
        lanes: LANES,
        eps: session.target.eps.clone(),
        start_token: session.target.start_token,
        window: session.target.window,
        overlap: session.target.overlap,
        frame_bytes: FRAME_BYTES,
    };
    let result = session.ask(&request)?;
    if result.plain_bytes != plain.len() as u64 {
        return wrong(format!(
            "it says that it compressed {} bytes, but was given {}",
            result.plain_bytes,
            plain.len()
        ));
    }
    if result.plain_sha256 != sha256(plain) {
        return wrong(format!(
            "plain_sha256 is {}, the input has {}",
            result.plain_sha256,
            sha256(plain)
        ));
    }
    check_container(session, &request, &result)?;
    Ok((request.output_file, result))
}

/// Reads a container part by part, without the model.
fn check_container(session: &Session<'_>, request: &Compress, result: &CompressResult) -> StepResult {
    let file = open_written_of(&request.output_file, result.container_bytes)?;
    let mut reader = ContainerReader::open(BufReader::new(file))?;
    let preamble = reader.preamble().clone();
    let fields = [
        (
            "model_sha256",
            preamble.model_sha256.to_string(),
            session.target.model_sha256.clone(),
        ),
        (
            "tokenizer_sha256",
            preamble.tokenizer_sha256.to_string(),
            session.target.tokenizer_sha256.clone(),
        ),
        (
            "vocab_size",
            preamble.vocab_size.to_string(),
            session.loaded()?.vocab_size.to_string(),
        ),
        ("eps", preamble.eps.to_string(), request.eps.clone()),
        (
            "start_token",
            preamble.context.start_token.to_string(),
            request.start_token.to_string(),
        ),
        (
            "window",
            preamble.context.window.to_string(),
            request.window.to_string(),
        ),
        (
            "overlap",
            preamble.context.overlap.to_string(),
            request.overlap.to_string(),
        ),
    ];
    if let Some((field, found, asked)) = fields.iter().find(|(_, found, asked)| found != asked) {
        return wrong(format!("the container's {field} is {found}, not {asked}"));
    }
    let (mut plain_bytes, mut tokens, mut stream_bytes) = (0, 0, 0);
    let plain_sha256 = loop {
        match reader.next_frame()? {
            Frame::Coded(frame) => {
                plain_bytes += frame.plain_length as u64;
                tokens += frame.token_count as u64;
                stream_bytes += frame.streams.iter().map(|stream| stream.len() as u64).sum::<u64>();
            }
            Frame::Stored(frame) => plain_bytes += frame.plain.len() as u64,
            Frame::End(end) => break end.plain_sha256.to_string(),
        }
    };
    let counts = [
        ("plain_bytes", plain_bytes, result.plain_bytes),
        ("tokens", tokens, result.tokens),
        ("stream_bytes", stream_bytes, result.stream_bytes),
    ];
    if let Some((field, found, said)) = counts.iter().find(|(_, found, said)| found != said) {
        return wrong(format!("{field} is {said} by the answer and {found} by the container"));
    }
    if plain_sha256 != result.plain_sha256 {
        return wrong(format!("the container ends with the SHA-256 {plain_sha256}"));
    }
    Ok(())
}

pub fn decompress(session: &mut Session<'_>) -> StepResult {
    let (container, written) = container(session)?;
    let output_file = session.folder.join("plain");
    let result = session.ask(&Decompress {
        input_file: container,
        output_file: output_file.clone(),
    })?;
    let said = (
        &result.plain_sha256,
        result.plain_bytes,
        &result.tokens_sha256,
        result.tokens,
    );
    let expected = (
        &written.plain_sha256,
        written.plain_bytes,
        &written.tokens_sha256,
        written.tokens,
    );
    if said != expected {
        return wrong(format!(
            "compress answered the hashes and counts {expected:?}, decompress {said:?}"
        ));
    }
    if read(&output_file, result.plain_bytes)? != plain() {
        return wrong("the bytes that came back are not those that were compressed");
    }
    Ok(())
}

pub fn cut_short(session: &mut Session<'_>) -> StepResult {
    refuse(session, ErrorCode::Format, |bytes| {
        bytes.truncate(bytes.len() / 2);
        Ok(())
    })
}

pub fn flipped(session: &mut Session<'_>) -> StepResult {
    refuse(session, ErrorCode::Format, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        Ok(())
    })
}

pub fn of_another_model(session: &mut Session<'_>) -> StepResult {
    refuse(session, ErrorCode::Integrity, |bytes| {
        let mut preamble = ContainerReader::open(bytes.as_slice())?.preamble().clone();
        let length = preamble.write().len();
        let Hash(mut other) = preamble.model_sha256;
        other[0] ^= 1;
        preamble.model_sha256 = Hash(other);
        bytes.splice(..length, preamble.write());
        Ok(())
    })
}

/// Spoils a container; the runner must refuse it and leave no output.
fn refuse(session: &mut Session<'_>, code: ErrorCode, spoil: impl Fn(&mut Vec<u8>) -> Result<()>) -> StepResult {
    let (container, written) = container(session)?;
    let mut bytes = read(&container, written.container_bytes)?;
    spoil(&mut bytes)?;
    let request = Decompress {
        input_file: session.folder.join("spoiled.llmzip"),
        output_file: session.folder.join("spoiled"),
    };
    write(&request.input_file, &bytes)?;
    session.ask_in_vain(&request, code)?;
    if request.output_file.exists() {
        return wrong("it left an output file behind");
    }
    Ok(())
}

fn container(session: &Session<'_>) -> Result<(PathBuf, CompressResult), Trouble> {
    session.container.clone().ok_or_else(|| missing("compress"))
}

/// Reads a file of `length` bytes that the runner wrote.
fn read(path: &Path, length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_written_of(path, length)?
        .take(length)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::io("read", path, &source))?;
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|source| Error::io("write", path, &source))
}
