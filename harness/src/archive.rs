//! Owns the compression of one input, with a model that is loaded, into one output that is there whole or not at all, and the
//! way back. Runners and the command line share it; it chooses neither files nor models.

use std::io::{BufWriter, Read};

use crate::Result;
use crate::compressor::{
    CompressOptions, CompressSummary, DecompressSummary, HashedInput, Lanes, ModelIdentity, OnProgress, compress,
    decompress, verify,
};
use crate::container::eps::Eps;
use crate::container::reader::ContainerReader;
use crate::files::OutputFile;
use crate::model::context::ContextPolicy;
use crate::model::exactness::RULES_VERSION;
use crate::model::loaded::LoadedModel;

/// What a writer is told beside the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// Lanes per frame.
    pub lanes: Lanes,
    /// How far a reader's log-probs may lie from the writer's.
    pub eps: Eps,
    /// What the model is fed.
    pub context: ContextPolicy,
    /// Plain bytes per frame, `1 ..= 2^24`.
    pub frame_bytes: usize,
}

/// Compresses all of `input`; `output` takes its name when the container is whole.
///
/// # Errors
/// Those of [`compress`] and of [`OutputFile::commit`].
pub fn compress_with(
    model: &mut LoadedModel,
    input: impl Read,
    mut output: OutputFile,
    settings: &ArchiveSettings,
    on_progress: OnProgress<'_>,
) -> Result<CompressSummary> {
    let summary = write_container(model, input, &mut output, settings, on_progress)?;
    output.commit()?;
    Ok(summary)
}

/// As [`compress_with`], but the container is decoded before `output` takes its name, and must give back what was read.
///
/// # Errors
/// Those of [`compress_with`], of [`OutputFile::read_back`] and of [`verify`]; nothing is left of the output.
pub fn compress_verified(
    model: &mut LoadedModel,
    input: impl Read,
    mut output: OutputFile,
    settings: &ArchiveSettings,
    on_progress: OnProgress<'_>,
    on_verify: OnProgress<'_>,
) -> Result<CompressSummary> {
    let mut input = HashedInput::new(input);
    let summary = write_container(model, &mut input, &mut output, settings, on_progress)?;
    let identity = identity(model);
    let container = output.read_back()?;
    let session = model.session.as_mut();
    verify(
        container,
        input.finish(),
        session,
        &model.tokenizer,
        &identity,
        on_verify,
    )?;
    output.commit()?;
    Ok(summary)
}

fn write_container(
    model: &mut LoadedModel,
    input: impl Read,
    output: &mut OutputFile,
    settings: &ArchiveSettings,
    on_progress: OnProgress<'_>,
) -> Result<CompressSummary> {
    let options = compress_options(model, settings);
    let session = model.session.as_mut();
    compress(
        input,
        BufWriter::new(output),
        session,
        &model.tokenizer,
        &options,
        on_progress,
    )
}

/// Decompresses all of `container`; `output` takes its name when every byte is verified.
///
/// # Errors
/// Those of [`decompress`] and of [`OutputFile::commit`].
pub fn decompress_with<R: Read>(
    model: &mut LoadedModel,
    container: ContainerReader<R>,
    mut output: OutputFile,
    on_progress: OnProgress<'_>,
) -> Result<DecompressSummary> {
    let identity = identity(model);
    let summary = decompress(
        container,
        BufWriter::new(&mut output),
        model.session.as_mut(),
        &model.tokenizer,
        &identity,
        on_progress,
    )?;
    output.commit()?;
    Ok(summary)
}

/// What a writer with this model is told.
pub(crate) fn compress_options(model: &LoadedModel, settings: &ArchiveSettings) -> CompressOptions {
    CompressOptions {
        model: identity(model),
        lanes: settings.lanes,
        eps: settings.eps,
        context: settings.context,
        frame_bytes: settings.frame_bytes,
        fingerprint: container_fingerprint(model),
    }
}

/// What computed the logits; where they are the same bits everywhere that is the graph alone, and every writer's container is the
/// same bytes.
fn container_fingerprint(model: &LoadedModel) -> String {
    if model.session.exactness().exact {
        return format!("exact-{RULES_VERSION}");
    }
    model.fingerprint.container_fingerprint()
}

pub(crate) const fn identity(model: &LoadedModel) -> ModelIdentity {
    ModelIdentity {
        model_sha256: model.model_sha256,
        tokenizer_sha256: model.tokenizer_sha256,
    }
}
