//! Owns `llmzip compress` and `llmzip decompress`: one input, one output, either of which may be a pipe.

use super::args::{CompressArguments, DecompressArguments};
use super::model::ModelSource;
use super::output::Output;
use super::places::{Making, Places};
use super::progress::FileBar;
use crate::archive::{ArchiveSettings, compress_verified, compress_with, decompress_with};
use crate::container::eps::Eps;
use crate::container::reader::ContainerReader;
use crate::model::context::ContextPolicy;
use crate::model::loaded::LoadedModel;
use crate::model::signature::Batch;
use crate::{Error, ErrorCode, Result};

/// Compresses.
pub fn compress(arguments: &CompressArguments, output: &Output) -> Result<u8> {
    arguments.lanes.check()?;
    let eps = arguments.eps.as_deref().map(str::parse::<Eps>).transpose()?;
    // The files first: a name that cannot be written to should not cost the loading of a model.
    let places = Places::open(&arguments.files, Making::Container, output)?;
    if arguments.verify && !places.output.is_regular() {
        return Err(Error::new(
            ErrorCode::Usage,
            "--verify reads the output back, which only a file can be",
        )
        .with_hint("name a file to write to with -o"));
    }
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
    let (input, container, removal) = places.split();
    let bar = FileBar::new(output, "compress", input.read_so_far(), input.size);
    let summary = if arguments.verify {
        compress_verified(
            &mut model,
            input,
            container,
            &settings,
            &mut |progress| bar.show(progress),
            &mut |progress| bar.show_verifying(progress),
        )?
    } else {
        compress_with(&mut model, input, container, &settings, &mut |progress| {
            bar.show(progress)
        })?
    };
    drop(bar);
    removal.carry_out()?;
    let rate = if summary.plain_bytes == 0 {
        String::new()
    } else {
        let bits = 8.0 * summary.container_bytes as f64 / summary.plain_bytes as f64;
        format!(", {bits:.3} bits per byte")
    };
    let verified = if arguments.verify { ", verified" } else { "" };
    output.talk(&format!(
        "{} bytes to {}{rate}, {} tokens coded{verified}",
        summary.plain_bytes, summary.container_bytes, summary.tokens
    ));
    Ok(0)
}

/// Decompresses.
pub fn decompress(arguments: &DecompressArguments, output: &Output) -> Result<u8> {
    let (input, plain, removal) = Places::open(&arguments.files, Making::Plain, output)?.split();
    let (read, size) = (input.read_so_far(), input.size);
    let container = ContainerReader::open(input)?;
    let mut model = ModelSource::new(&arguments.model, arguments.batch.batch)?.load_for(container.preamble())?;
    warn_of_single_lanes(&model, output)?;
    let bar = FileBar::new(output, "decompress", read, size);
    let summary = decompress_with(&mut model, container, plain, &mut |progress| bar.show(progress))?;
    drop(bar);
    removal.carry_out()?;
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
