//! Owns goldens as they are used: read, held to what is asked, and put into the form of a runner's answers.

use std::collections::BTreeMap;
use std::path::Path;

use super::beside;
use super::folder::{self, Files};
use super::record::{Asked, Header, Variant, Writer};
use super::repair_command;
use crate::conform::collect::{Collected, Written};
use crate::conform::{PLANS, Settings, Target};
use crate::{Error, ErrorCode, Result};

/// The name under which goldens stand in a report.
const NAME: &str = "golden";

/// What a model gave on its writer.
#[derive(Debug)]
pub struct Goldens {
    pub(super) model: String,
    pub(super) writer: Writer,
    variants: Vec<Recorded>,
}

/// What one graph gave.
#[derive(Debug)]
pub(super) struct Recorded {
    pub target: String,
    pub answers: Collected,
    pub coded: BTreeMap<&'static str, Vec<f64>>,
}

impl Goldens {
    /// Reads the goldens of `model` in `folder`, which must answer exactly what `settings` ask.
    ///
    /// # Errors
    /// `setup` when there are none; `integrity` when they are stale, or not what their header says; `io`.
    pub fn read(folder: &Path, model: &str, settings: &Settings) -> Result<Self> {
        let asked: Vec<Asked> = settings
            .targets
            .iter()
            .map(|target| Asked::of(settings, target))
            .collect();
        let (header, files) = folder::read(folder, model, &asked)?;
        let variants = header
            .variants
            .iter()
            .map(|variant| recorded(folder, &header, variant, &files));
        Ok(Self {
            model: model.to_owned(),
            variants: variants.collect::<Option<_>>().ok_or_else(|| {
                Error::new(
                    ErrorCode::Integrity,
                    format!("a file in {} is not of the form that it must have", folder.display()),
                )
                .with_hint(format!("make the goldens anew: {}", repair_command(model)))
            })?,
            writer: header.writer,
        })
    }

    /// What one graph gave.
    pub(super) fn find(&self, target: &Target) -> Option<&Recorded> {
        self.variants.iter().find(|variant| variant.target == target.name)
    }
}

/// Goldens as if a runner had just answered; none when a file has another form.
fn recorded(folder: &Path, header: &Header, variant: &Variant, files: &Files) -> Option<Recorded> {
    let name = variant.asked.name.as_str();
    let ids: Vec<u32> = serde_json::from_slice(files.get(&beside::tokens_path(name))?).ok()?;
    if ids.len() as u64 != variant.tokens {
        return None;
    }
    let mut coded = BTreeMap::new();
    for (plan, _) in PLANS {
        let bytes = files.get(&beside::coded_path(name, plan))?;
        coded.insert(plan, beside::coded_of(bytes, ids.len())?);
    }
    let mut answers = Collected {
        runner: NAME.to_owned(),
        inspect: Some(serde_json::from_slice(files.get(&beside::inspect_path(name))?).ok()?),
        ids: Some(ids),
        ..Collected::default()
    };
    for input in &variant.asked.inputs {
        let path = beside::container_path(name, &input.name);
        let file = header.files.iter().find(|file| file.path == path)?;
        let entry = variant.containers.iter().find(|entry| entry.input == input.name)?;
        let written = Written {
            path: std::path::absolute(folder.join(&path)).ok()?,
            sha256: file.sha256.clone(),
            result: entry.result(input, file)?,
        };
        answers.containers.insert(input.name.clone(), written);
    }
    Some(Recorded {
        target: name.to_owned(),
        answers,
        coded,
    })
}
