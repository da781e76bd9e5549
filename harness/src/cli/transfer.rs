//! Owns `llmzip compress` and `llmzip decompress`: one input, one output, either of which may be a pipe.

use std::io::Read;
use std::path::Path;

use super::args::{CompressArguments, DecompressArguments, FileArguments};
use super::model::ModelSource;
use super::output::Output;
use super::progress::FileBar;
use crate::Result;
use crate::archive::{ArchiveSettings, compress_with, decompress_with};
use crate::compressor::check_lanes;
use crate::container::eps::Eps;
use crate::container::reader::ContainerReader;
use crate::files::{OutputFile, open_input};
use crate::model::context::ContextPolicy;
use crate::model::loaded::LoadedModel;
use crate::model::signature::Batch;
use crate::stdio::InterruptibleStdin;

/// Stands for stdin and stdout.
const PIPE: &str = "-";

/// Compresses.
pub fn compress(arguments: &CompressArguments, output: &Output) -> Result<u8> {
    check_lanes(arguments.lanes)?;
    let eps = arguments.eps.as_deref().map(str::parse::<Eps>).transpose()?;
    // The files first: a name that cannot be written to should not cost the loading of a model.
    let (input, container) = open(&arguments.files)?;
    let source = ModelSource::new(&arguments.model, arguments.batch.batch)?;
    let choice = source.choose(&arguments.variant)?;
    let settings = ArchiveSettings {
        lanes: arguments.lanes,
        eps: eps.map_or_else(|| choice.eps.parse(), Ok)?,
        context: ContextPolicy {
            start_token: choice.start_token,
            window: choice.window,
            overlap: choice.overlap,
        },
        frame_bytes: arguments.frame_bytes,
    };
    let mut model = source.load(&choice, &arguments.variant, output)?;
    warn_of_single_lanes(&model, output)?;
    let bar = FileBar::new(output);
    let summary = compress_with(&mut model, input, container, &settings, &mut |progress| {
        bar.show(progress)
    })?;
    drop(bar);
    let rate = if summary.plain_bytes == 0 {
        String::new()
    } else {
        let bits = 8.0 * summary.container_bytes as f64 / summary.plain_bytes as f64;
        format!(", {bits:.3} bits per byte")
    };
    output.talk(&format!(
        "{} bytes to {}{rate}, {} tokens coded",
        summary.plain_bytes, summary.container_bytes, summary.tokens
    ));
    Ok(0)
}

/// Decompresses.
pub fn decompress(arguments: &DecompressArguments, output: &Output) -> Result<u8> {
    let (input, plain) = open(&arguments.files)?;
    let container = ContainerReader::open(input)?;
    let mut model = ModelSource::new(&arguments.model, arguments.batch.batch)?.load_for(container.preamble())?;
    warn_of_single_lanes(&model, output)?;
    let bar = FileBar::new(output);
    let summary = decompress_with(&mut model, container, plain, &mut |progress| bar.show(progress))?;
    drop(bar);
    output.talk(&format!(
        "{} bytes, SHA-256 {}",
        summary.plain_bytes, summary.plain_sha256
    ));
    Ok(0)
}

/// A graph that takes one lane at a time does what it should, but not as fast as lanes are meant to be.
fn warn_of_single_lanes(model: &LoadedModel, output: &Output) -> Result<()> {
    let policy = model.session.view()?.batch_policy;
    if policy.batch == Batch::Static {
        output.talk(&format!(
            "warning: lanes run one after another, the graph takes no batch: {}",
            policy.reason
        ));
    }
    Ok(())
}

fn open(files: &FileArguments) -> Result<(Box<dyn Read>, OutputFile)> {
    let is_pipe = |path: &Path| path.as_os_str() == PIPE;
    let input: Box<dyn Read> = if is_pipe(&files.input) {
        Box::new(InterruptibleStdin::open())
    } else {
        Box::new(open_input(&files.input)?)
    };
    let output = if is_pipe(&files.output) {
        OutputFile::stdout()?
    } else {
        OutputFile::create(&files.output, files.force)?
    };
    Ok((input, output))
}
