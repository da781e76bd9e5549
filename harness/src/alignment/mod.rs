//! Owns whether runners read text alike: many texts are asked of every runner, token ids and what comes back of them are laid side by
//! side, and a text that is read in two ways is made as small as it can be. It prints nothing.

mod answers;
pub mod corpus;
mod generate;
pub mod known;
mod shrink;
mod survival;

use std::path::Path;
use std::thread;

use answers::Reader;
pub use answers::{Answer, Reading};

use crate::conform::{Member, Target};
use crate::{Error, ErrorCode, Result, interrupt};
use known::KnownDifference;

/// What a check is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The model whose tokenizer is asked.
    pub target: Target,
    /// How many texts are generated, beside those that are always there.
    pub cases: usize,
    /// What the generated texts follow from.
    pub seed: u64,
    /// Differences that are known, with their reasons.
    pub known: Vec<KnownDifference>,
}

/// A text that two runners read in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The runner that reads it otherwise than the reference.
    pub runner: String,
    /// The smallest text that shows it.
    pub text: String,
    /// What the reference makes of it.
    pub expected: Answer,
    /// What the runner makes of it.
    pub found: Answer,
    /// How many texts came down to this one.
    pub count: usize,
    /// Why it is allowed, where it is known.
    pub reason: Option<String>,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The runners that took part; the others are compared with the first.
    pub runners: Vec<String>,
    /// Runners that did not, with the reasons.
    pub skipped: Vec<(String, String)>,
    /// How many texts were asked.
    pub texts: usize,
    /// How many characters they have.
    pub characters: usize,
    /// Texts that were read in two ways.
    pub differences: Vec<Difference>,
    /// Differing texts that were not made smaller, because there were too many.
    pub unexamined: usize,
    /// Entries of the known differences that differ no more, with their runner.
    pub outdated: Vec<(String, String)>,
    /// How many texts the reference's tokenizer does not give back.
    pub lossy: usize,
    /// The smallest texts that it does not give back.
    pub lossy_examples: Vec<String>,
    /// Runners that gave other bytes back of containers with those texts.
    pub lost_by: Vec<String>,
}

impl Findings {
    /// Whether all runners read all texts alike, but for what is known, and nothing was lost.
    #[must_use]
    pub fn held(&self) -> bool {
        self.differences.iter().all(|difference| difference.reason.is_some())
            && self.unexamined == 0
            && self.outdated.is_empty()
            && self.lost_by.is_empty()
    }
}

/// Texts that are made smaller, for each runner: more of one cause say no more.
const MOST_EXAMINED: usize = 50;
/// Texts that do not come back and are made smaller.
const MOST_LOSSY: usize = 10;

/// Asks everyone. `folder` is for containers; `on_progress` is told how many texts a runner has answered.
///
/// # Errors
/// `usage` with fewer than two runners, `runner` and what else a runner cannot answer for, `interrupted`.
pub fn run(
    settings: &Settings,
    members: Vec<Member>,
    folder: &Path,
    on_progress: &(dyn Fn(&str, usize) + Sync),
) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut readers = Vec::new();
    for member in members {
        match member {
            Member::Ready(runner) => readers.push(Reader::new(runner)),
            Member::Skipped { name, reason } => findings.skipped.push((name, reason)),
            Member::Failed { error, .. } => return Err(error),
        }
    }
    for reader in &mut readers {
        reader.load(&settings.target)?;
    }
    if readers.len() < 2 {
        return Err(Error::new(
            ErrorCode::Usage,
            "fewer than two runners take part, so nothing can be compared",
        )
        .with_hint("name more with --only, or install what the others need: see `cargo run -- doctor`"));
    }
    findings.runners = readers.iter().map(|reader| reader.name().to_owned()).collect();
    let mut texts = corpus::texts();
    texts.extend(generate::texts(settings.seed, settings.cases));
    findings.texts = texts.len();
    findings.characters = texts.iter().map(|text| text.chars().count()).sum();
    let answers = ask_all(&mut readers, &texts, on_progress)?;
    let (reference, others) = readers
        .split_first_mut()
        .ok_or_else(|| Error::new(ErrorCode::Internal, "no reference"))?;
    let (expected, found) = answers
        .split_first()
        .ok_or_else(|| Error::new(ErrorCode::Internal, "no answers"))?;
    for (other, found) in others.iter_mut().zip(found) {
        compare(reference, other, &texts, expected, found, &mut findings)?;
        check_known(reference, other, &settings.known, &mut findings)?;
    }
    find_lossy(reference, &texts, expected, &mut findings)?;
    if !findings.lossy_examples.is_empty() {
        findings.lost_by = survival::lost_by(&settings.target, &mut readers, &findings.lossy_examples, folder)?;
    }
    for reader in &mut readers {
        reader.stop();
    }
    Ok(findings)
}

/// Every reader's answers to every text; the readers work side by side.
fn ask_all(
    readers: &mut [Reader],
    texts: &[String],
    on_progress: &(dyn Fn(&str, usize) + Sync),
) -> Result<Vec<Vec<Answer>>> {
    thread::scope(|scope| {
        let threads: Vec<_> = readers
            .iter_mut()
            .map(|reader| {
                scope.spawn(move || {
                    let mut answers = Vec::with_capacity(texts.len());
                    for text in texts {
                        interrupt::check()?;
                        answers.push(reader.read(text)?);
                        on_progress(reader.name(), answers.len());
                    }
                    Ok(answers)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(Error::new(ErrorCode::Internal, "a thread that asked a runner panicked")))
            })
            .collect()
    })
}

fn compare(
    reference: &mut Reader,
    other: &mut Reader,
    texts: &[String],
    expected: &[Answer],
    found: &[Answer],
    findings: &mut Findings,
) -> Result<()> {
    let differing = texts
        .iter()
        .zip(expected.iter().zip(found))
        .filter(|(_, (a, b))| a != b);
    for (examined, (text, _)) in differing.enumerate() {
        if examined >= MOST_EXAMINED {
            findings.unexamined += 1;
            continue;
        }
        let smallest = shrink::smallest(text, &mut |candidate| {
            Ok(reference.read(candidate)? != other.read(candidate)?)
        })?;
        let runner = other.name().to_owned();
        if let Some(same) = findings
            .differences
            .iter_mut()
            .find(|difference| difference.runner == runner && difference.text == smallest)
        {
            same.count += 1;
            continue;
        }
        findings.differences.push(Difference {
            expected: reference.read(&smallest)?,
            found: other.read(&smallest)?,
            runner,
            text: smallest,
            count: 1,
            reason: None,
        });
    }
    Ok(())
}

/// Gives known differences their reason, and finds those that are none any more.
fn check_known(
    reference: &mut Reader,
    other: &mut Reader,
    known: &[KnownDifference],
    findings: &mut Findings,
) -> Result<()> {
    let name = other.name().to_owned();
    for entry in known.iter().filter(|entry| entry.runner == name) {
        if reference.read(&entry.text)? == other.read(&entry.text)? {
            findings.outdated.push((entry.runner.clone(), entry.text.clone()));
        }
        for difference in &mut findings.differences {
            if difference.runner == entry.runner && difference.text == entry.text {
                difference.reason = Some(entry.reason.clone());
            }
        }
    }
    Ok(())
}

fn find_lossy(reference: &mut Reader, texts: &[String], answers: &[Answer], findings: &mut Findings) -> Result<()> {
    for (text, _) in texts.iter().zip(answers).filter(|(text, answer)| answer.is_lossy(text)) {
        findings.lossy += 1;
        if findings.lossy_examples.len() < MOST_LOSSY {
            let smallest = shrink::smallest(text, &mut |candidate| {
                Ok(reference.read(candidate)?.is_lossy(candidate))
            })?;
            if !findings.lossy_examples.contains(&smallest) {
                findings.lossy_examples.push(smallest);
            }
        }
    }
    Ok(())
}
