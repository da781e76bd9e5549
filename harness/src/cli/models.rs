//! Owns `llmzip models`: from arguments to what is fetched, copied or checked, and the tables that say what there is.

use std::fmt::Write as _;

use serde::Serialize;

use super::args::{ModelsArguments, ModelsCommand, ModelsFetchArguments, ModelsImportArguments};
use super::output::Output;
use super::progress::TransferBar;
use crate::models::fetch::{FetchOptions, fetch};
use crate::models::hub::Hub;
use crate::models::import::{import, still_lacking};
use crate::models::verify::{Finding, verify};
use crate::models::{Catalogue, ModelFiles, Selection, State};
use crate::report::terminal::printable;
use crate::setup::Layout;
use crate::{Error, ErrorCode, Result};

/// Runs it.
pub fn run(arguments: &ModelsArguments, output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    let catalogue = Catalogue::read(&layout.manifest())?;
    match &arguments.command {
        ModelsCommand::List(options) => list(&catalogue, options.json, output),
        ModelsCommand::Fetch(options) => run_fetch(&catalogue, options, output),
        ModelsCommand::Verify(options) => run_verify(&catalogue, options.name.as_deref(), output),
        ModelsCommand::Path(options) => path(&catalogue.model(&options.name)?, output),
        ModelsCommand::Import(options) => run_import(&catalogue, options, output),
    }
}

fn run_fetch(catalogue: &Catalogue, arguments: &ModelsFetchArguments, output: &Output) -> Result<u8> {
    let options = FetchOptions {
        selection: Selection {
            variants: arguments.variant.clone(),
            files: arguments.file.clone(),
            all: arguments.all,
        },
        accept_unknown: arguments.accept_unknown,
        mirror: arguments.mirror.clone(),
        hub: Hub::of_environment()?,
        patience: arguments.patience()?,
    };
    let fetched = fetch(catalogue.file(), &arguments.name, &options, &TransferBar::new(output));
    if crate::interrupt::check().is_err() {
        output.talk("the same command goes on where this one ended");
    }
    output.data(&format!("{}\n", fetched?.display()))?;
    Ok(0)
}

fn run_import(catalogue: &Catalogue, arguments: &ModelsImportArguments, output: &Output) -> Result<u8> {
    let taken = import(
        catalogue.file(),
        &arguments.name,
        &arguments.folder,
        arguments.accept_unknown,
        &TransferBar::new(output),
    );
    // Files that are right were taken, also when others were wrong.
    if taken
        .as_ref()
        .err()
        .is_none_or(|error| error.code == ErrorCode::Integrity)
    {
        // Anew: what was taken may have been recorded.
        let model = Catalogue::read(catalogue.file())?.model(&arguments.name)?;
        if let Some(note) = note_of_lacking(&model) {
            output.talk(&note);
        }
    }
    output.data(&format!("{}\n", taken?.display()))?;
    Ok(0)
}

/// What the default variant still lacks, and the command that gets it; none when it is complete.
fn note_of_lacking(model: &ModelFiles) -> Option<String> {
    let record = &model.record;
    let whose = record.default_variant().map_or_else(
        || record.name.clone(),
        |variant| format!("the default variant {} of {}", variant.dtype, record.name),
    );
    let lacking = match still_lacking(model) {
        Ok(lacking) if lacking.is_empty() => return None,
        Ok(lacking) => lacking,
        Err(error) => return Some(format!("note: {}; {}", error.message, error.hint)),
    };
    let files: Vec<String> = lacking
        .iter()
        .map(|file| format!("{} ({})", printable(&file.path), file.state().name()))
        .collect();
    let (name, them) = (&record.name, if files.len() == 1 { "it" } else { "them" });
    let unknown = if lacking.iter().any(|file| file.sha256.is_none()) {
        " --accept-unknown"
    } else {
        ""
    };
    let way = if record.is_fetchable() {
        format!("`cargo run -- models fetch {name}{unknown}` gets {them}")
    } else {
        format!("`cargo run -- models import {name} FOLDER{unknown}` takes {them} from another folder")
    };
    Some(format!("note: {whose} still lacks {}; {way}", files.join(", ")))
}

fn path(model: &ModelFiles, output: &Output) -> Result<u8> {
    if model.state() != State::Present {
        output.talk(&format!(
            "note: the model is {}; {}",
            model.state().name(),
            way_to(model)
        ));
    }
    output.data(&format!("{}\n", model.folder.display()))?;
    Ok(0)
}

/// How a model can be had.
fn way_to(model: &ModelFiles) -> String {
    let name = &model.record.name;
    if model.record.is_fetchable() {
        format!("`cargo run -- models fetch {name}` gets it")
    } else {
        format!("`cargo run -- models import {name} FOLDER` takes it from a folder")
    }
}

fn run_verify(catalogue: &Catalogue, name: Option<&str>, output: &Output) -> Result<u8> {
    let is_there = |model: &ModelFiles| model.files().iter().any(|file| file.state() != State::Missing);
    let models: Vec<ModelFiles> = match name {
        Some(name) => {
            let model = catalogue.model(name)?;
            if !is_there(&model) {
                let message = format!("there is no file of the model {name} in {}", model.folder.display());
                return Err(Error::new(ErrorCode::Setup, message).with_hint(way_to(&model)));
            }
            vec![model]
        }
        None => catalogue.models().filter(is_there).collect(),
    };
    let incomplete = models
        .iter()
        .find(|model| model.state() == State::Missing)
        .map(|model| {
            let name = &model.record.name;
            let message = if model.record.variants.is_empty() {
                format!("a file of {name} is missing")
            } else {
                format!("no variant of {name} is complete")
            };
            Error::new(ErrorCode::Setup, message).with_hint(way_to(model))
        });
    let bar = TransferBar::new(output);
    let mut wrong = 0;
    for model in models {
        for (file, finding) in verify(&model, &bar)? {
            let (word, detail) = match finding {
                Finding::Right => ("ok", String::new()),
                Finding::Missing => ("missing", String::new()),
                Finding::OtherSize => ("damaged", ": another size".to_owned()),
                Finding::OtherHash(hash) => ("damaged", format!(": SHA-256 {hash}")),
                Finding::Unknown(hash) => ("unknown", format!(": SHA-256 {hash}")),
            };
            wrong += usize::from(word == "damaged");
            let path = format!("{}/{}", model.record.name, file.path);
            output.data(&format!("{word:8} {}{detail}\n", printable(&path)))?;
        }
    }
    if wrong == 0 {
        return incomplete.map_or(Ok(0), Err);
    }
    let files = if wrong == 1 {
        "1 file is"
    } else {
        &format!("{wrong} files are")
    };
    Err(
        Error::new(ErrorCode::Integrity, format!("{files} not what the manifest says"))
            .with_hint("get them anew: `cargo run -- models fetch NAME` replaces what is damaged"),
    )
}

/// A model as JSON has it.
#[derive(Serialize)]
struct ModelRow<'a> {
    name: &'a str,
    folder: String,
    source: &'a str,
    revision: Option<&'a str>,
    licence: &'a str,
    state: State,
    variants: Vec<VariantRow<'a>>,
    files: Vec<FileRow>,
}

#[derive(Serialize)]
struct VariantRow<'a> {
    dtype: &'a str,
    file: &'a str,
    state: State,
}

#[derive(Serialize)]
struct FileRow {
    path: String,
    bytes: Option<u64>,
    sha256: Option<String>,
    state: State,
}

impl<'a> ModelRow<'a> {
    fn of(model: &'a ModelFiles) -> Self {
        let record = &model.record;
        let variants = record.variants.iter().map(|variant| VariantRow {
            dtype: &variant.dtype,
            file: &variant.file,
            state: model.variant_state(variant),
        });
        let files = model.files().into_iter().map(|file| FileRow {
            state: file.state(),
            bytes: file.bytes,
            sha256: file.sha256.map(|hash| hash.to_string()),
            path: file.path,
        });
        Self {
            name: &record.name,
            folder: model.folder.display().to_string(),
            source: &record.source,
            revision: record.revision.as_deref(),
            licence: &record.licence,
            state: model.state(),
            variants: variants.collect(),
            files: files.collect(),
        }
    }
}

fn list(catalogue: &Catalogue, json: bool, output: &Output) -> Result<u8> {
    let models: Vec<ModelFiles> = catalogue.models().collect();
    let rows: Vec<ModelRow<'_>> = models.iter().map(ModelRow::of).collect();
    let text = if json {
        let json = serde_json::to_string_pretty(&rows)
            .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write JSON: {source}")))?;
        json + "\n"
    } else {
        table(&rows)
    };
    output.data(&text)?;
    Ok(0)
}

/// One line for each variant; sizes are those of the graph's file.
fn table(rows: &[ModelRow<'_>]) -> String {
    let head = ["model", "variant", "state", "bytes", "licence"].map(str::to_owned);
    let mut lines = vec![head];
    for row in rows {
        for variant in &row.variants {
            let graph = row.files.iter().find(|file| file.path == variant.file);
            let bytes = graph.and_then(|file| file.bytes);
            lines.push([
                printable(row.name),
                printable(variant.dtype),
                variant.state.name().to_owned(),
                bytes.map_or("unknown".to_owned(), |bytes| bytes.to_string()),
                printable(row.licence),
            ]);
        }
        if row.variants.is_empty() {
            lines.push([
                printable(row.name),
                "none".to_owned(),
                row.state.name().to_owned(),
                "unknown".to_owned(),
                printable(row.licence),
            ]);
        }
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for [name, variant, state, bytes, licence] in &lines {
        let [a, b, c, d] = widths;
        let _ = writeln!(text, "{name:a$}  {variant:b$}  {state:c$}  {bytes:>d$}  {licence}");
    }
    text
}
