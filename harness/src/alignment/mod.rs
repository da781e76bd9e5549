//! Owns whether runners read text alike: many texts are asked of every runner, token ids and what comes back of them are laid side by
//! side, and a text that is read in two ways is made as small as it can be; then ids, and pairs of ids, that no text may give. It prints
//! nothing.

mod answers;
mod compare;
pub mod corpus;
mod findings;
mod generate;
mod ids;
pub mod known;
mod shrink;
mod survival;

use std::path::Path;
use std::thread;

use answers::Reader;
pub use answers::{Answer, Decoded, Reading};
pub use compare::MOST_EXAMINED;
pub use findings::{Difference, Findings, IdDifference, IdFindings};
pub use ids::MOST_SHOWN;

use crate::conform::{Member, Target};
use crate::runner::protocol::{Detokenize, Operation, Tokenize};
use crate::{Error, ErrorCode, Result, interrupt};
use known::KnownDifference;

/// What a check is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The model whose tokenizer is asked.
    pub target: Target,
    /// How many texts, and how many pairs of ids, are generated, beside the texts and ids that are always there.
    pub cases: usize,
    /// What the generated texts and pairs follow from.
    pub seed: u64,
    /// Differences that are known, with their reasons.
    pub known: Vec<KnownDifference>,
}

/// Told of a runner, the operation that it is asked for, and how many answers it has given.
pub type OnProgress<'a> = &'a (dyn Fn(&str, &str, usize) + Sync);

/// Asks everyone. `folder` is for containers.
///
/// # Errors
/// `usage` with fewer than two runners, `runner` and what else a runner cannot answer for, `interrupted`.
pub fn run(settings: &Settings, members: Vec<Member>, folder: &Path, on_progress: OnProgress<'_>) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut readers = Vec::new();
    for member in members {
        match member {
            Member::Ready(runner) => readers.push(Reader::new(runner)),
            Member::Skipped { name, reason } => findings.skipped.push((name, reason)),
            Member::Failed { error, .. } => return Err(error),
        }
    }
    let mut sizes = Vec::new();
    for reader in &mut readers {
        sizes.push(reader.load(&settings.target)?);
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
    let answers = ask_all(&mut readers, Tokenize::NAME, &texts, on_progress, |reader, text| {
        reader.read(text)
    })?;
    compare::texts(&mut readers, &texts, &answers, &settings.known, &mut findings)?;
    if !findings.lossy_examples.is_empty() {
        findings.lost_by = survival::lost_by(&settings.target, &mut readers, &findings.lossy_examples, folder)?;
    }
    let size = ids::size(&findings.runners, &sizes)?;
    let sequences = ids::sequences(settings.seed, size, settings.cases);
    let decoded = ask_all(
        &mut readers,
        Detokenize::NAME,
        &sequences,
        on_progress,
        |reader, ids| reader.decode(ids),
    )?;
    findings.ids = ids::compare(&findings.runners, size, &sequences, &decoded);
    for reader in &mut readers {
        reader.stop();
    }
    Ok(findings)
}

/// Every reader's answers to every question; the readers work side by side.
fn ask_all<Q: Sync, A: Send>(
    readers: &mut [Reader],
    operation: &str,
    questions: &[Q],
    on_progress: OnProgress<'_>,
    ask: impl Fn(&mut Reader, &Q) -> Result<A> + Sync,
) -> Result<Vec<Vec<A>>> {
    let ask = &ask;
    thread::scope(|scope| {
        let threads: Vec<_> = readers
            .iter_mut()
            .map(|reader| {
                scope.spawn(move || {
                    let mut answers = Vec::with_capacity(questions.len());
                    for question in questions {
                        interrupt::check()?;
                        answers.push(ask(reader, question)?);
                        on_progress(reader.name(), operation, answers.len());
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
