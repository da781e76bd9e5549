//! Owns `llmzip info`: what a container tells without its model, as text or JSON.

use serde::Serialize;

use super::args::InfoArguments;
use super::output::Output;
use super::places::open_container;
use crate::container::info::{ContainerInfo, read_info};
use crate::container::layout::VERSION;
use crate::model::provenance::Models;
use crate::setup::Layout;
use crate::{Error, ErrorCode, Result};

/// Prints it.
pub fn run(arguments: &InfoArguments, output: &Output) -> Result<u8> {
    let info = read_info(open_container(&arguments.input)?)?;
    let name = name_of(&info)?;
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&view(&info, name.as_ref()))
            .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write JSON: {source}")))?;
        json + "\n"
    } else {
        render(&info, name.as_ref())
    };
    output.data(&text)?;
    Ok(0)
}

/// The names of the model and of its variant, where the project's manifest knows them. Without a project nothing is known.
fn name_of(info: &ContainerInfo) -> Result<Option<(String, String)>> {
    let Ok(layout) = Layout::find() else { return Ok(None) };
    let models = Models::of_manifest(&layout.manifest())?;
    let choice = models.by_sha256(info.preamble.model_sha256);
    Ok(choice.map(|choice| (choice.name, choice.variant)))
}

/// What the JSON has; the same members in the same order in all three languages.
#[derive(Serialize)]
struct View<'a> {
    version: u8,
    model_sha256: String,
    model: Option<ModelName<'a>>,
    tokenizer_sha256: String,
    vocab_size: usize,
    fingerprint: &'a str,
    eps: String,
    offsets: u32,
    start_token: u32,
    window: usize,
    overlap: usize,
    frames: u64,
    coded_frames: u64,
    stored_frames: u64,
    lanes: Option<Lanes>,
    tokens: u64,
    plain_bytes: u64,
    plain_sha256: String,
    plain_is_verified: bool,
    container_bytes: u64,
    ratio: Option<f64>,
}

#[derive(Serialize)]
struct ModelName<'a> {
    name: &'a str,
    variant: &'a str,
}

#[derive(Serialize)]
struct Lanes {
    least: usize,
    most: usize,
}

fn view<'a>(info: &'a ContainerInfo, name: Option<&'a (String, String)>) -> View<'a> {
    let ContainerInfo { preamble, .. } = info;
    View {
        version: VERSION,
        model_sha256: preamble.model_sha256.to_string(),
        model: name.map(|(name, variant)| ModelName { name, variant }),
        tokenizer_sha256: preamble.tokenizer_sha256.to_string(),
        vocab_size: preamble.vocab_size,
        fingerprint: &preamble.fingerprint,
        eps: preamble.eps.to_string(),
        offsets: preamble.offsets,
        start_token: preamble.context.start_token,
        window: preamble.context.window,
        overlap: preamble.context.overlap,
        frames: info.coded_frames + info.stored_frames,
        coded_frames: info.coded_frames,
        stored_frames: info.stored_frames,
        lanes: info.lanes.map(|(least, most)| Lanes { least, most }),
        tokens: info.tokens,
        plain_bytes: info.plain_bytes,
        plain_sha256: info.plain_sha256.to_string(),
        plain_is_verified: info.plain_is_verified,
        container_bytes: info.container_bytes,
        ratio: info.ratio_thousandths().map(|ratio| ratio as f64 / 1000.0),
    }
}

fn render(info: &ContainerInfo, name: Option<&(String, String)>) -> String {
    let ContainerInfo { preamble, .. } = info;
    let context = preamble.context;
    let model = name.map_or("unknown".to_owned(), |(model, variant)| format!("{model} {variant}"));
    let writer = match preamble.fingerprint.as_str() {
        "" => "unnamed",
        fingerprint => fingerprint,
    };
    let lanes = match info.lanes {
        None => "none".to_owned(),
        Some((least, most)) if least == most => most.to_string(),
        Some((least, most)) => format!("{least} to {most}"),
    };
    let ratio = info.ratio_thousandths().map_or(String::new(), |ratio| {
        format!(", ratio {}.{:03}", ratio / 1000, ratio % 1000)
    });
    let checked = if info.plain_is_verified {
        "structure, every crc32, plain SHA-256"
    } else {
        "structure, every crc32; the plain SHA-256 needs the model"
    };
    let rows = [
        ("format", format!("version {VERSION}")),
        ("model", format!("{model}, SHA-256 {}", preamble.model_sha256)),
        ("tokenizer", format!("SHA-256 {}", preamble.tokenizer_sha256)),
        ("vocabulary", preamble.vocab_size.to_string()),
        ("writer", writer.to_owned()),
        ("eps", preamble.eps.to_string()),
        (
            "context",
            format!(
                "window {}, overlap {}, start token {}",
                context.window, context.overlap, context.start_token
            ),
        ),
        (
            "frames",
            format!("{} coded, {} stored", info.coded_frames, info.stored_frames),
        ),
        ("lanes", lanes),
        ("tokens", info.tokens.to_string()),
        (
            "plain",
            format!("{} bytes, SHA-256 {}", info.plain_bytes, info.plain_sha256),
        ),
        ("container", format!("{} bytes{ratio}", info.container_bytes)),
        ("checked", checked.to_owned()),
    ];
    rows.map(|(name, value)| format!("{name}: {value}\n")).concat()
}
