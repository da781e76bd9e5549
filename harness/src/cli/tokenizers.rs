//! Owns `llmzip tokenizers`: which runners read which texts, and how what was found is told.

use super::args::TokenizersArguments;
use super::output::Output;
use super::progress::{RunnerBars, SetupTalk};
use super::runners;
use super::targets::target;
use crate::Result;
use crate::alignment::{self, Answer, Decoded, Difference, Findings, IdFindings, MOST_EXAMINED, MOST_SHOWN, known};
use crate::conform::Observer as _;
use crate::files::scratch_folder;
use crate::model::provenance::Models;
use crate::report::terminal::printable;
use crate::runner::protocol::Progress;
use crate::setup::Layout;

/// Ids that are shown of an answer.
const SHOWN_IDS: usize = 24;
/// Characters that are shown of a text.
const SHOWN_CHARACTERS: usize = 60;

/// Runs it.
pub fn run(arguments: &TokenizersArguments, output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    let models = Models::of_manifest(&layout.manifest())?;
    let target = target(models.choose(&arguments.model, arguments.variant.as_deref())?)?;
    let settings = alignment::Settings {
        known: known::built_in(&target.tokenizer_sha256)?,
        target,
        cases: arguments.cases,
        seed: arguments.seed,
    };
    let members = runners::chosen(
        &arguments.only,
        &arguments.runner,
        &layout,
        arguments.timeouts.timeouts()?,
        &mut SetupTalk::new(output),
    )?;
    let scratch = scratch_folder()?;
    let bars = RunnerBars::new(output);
    let found = alignment::run(&settings, members, scratch.path(), &|runner, operation, done| {
        let progress = Progress {
            done: done as u64,
            total: 0,
        };
        bars.working(runner, &settings.target.name, operation, Some(progress));
    });
    bars.clear();
    let found = found?;
    output.data(&told(&settings.target.name, &found))?;
    Ok(u8::from(!found.held()))
}

/// The findings as text.
fn told(model: &str, found: &Findings) -> String {
    let mut text = format!(
        "{model}: {} texts of {} characters, read by {}\n",
        found.texts,
        found.characters,
        found.runners.join(", ")
    );
    for (name, reason) in &found.skipped {
        text += &format!("skipped: {name}: {}\n", printable(reason));
    }
    let reference = found.runners.first().map_or("", String::as_str);
    for difference in &found.differences {
        text += &told_difference(reference, difference);
    }
    if found.unexamined > 0 {
        text += &format!(
            "not shown: {} more texts that differ; the {MOST_EXAMINED} smallest of each runner were looked at\n",
            found.unexamined
        );
    }
    for (runner, known) in &found.outdated {
        text += &format!(
            "OUTDATED: {runner} now reads {} as {reference} does: remove it from known.toml\n",
            shown(known)
        );
    }
    if found.refused > 0 {
        let examples: Vec<String> = found
            .refused_examples
            .iter()
            .map(|(text, code)| format!("{} ({})", shown(text), code.name()))
            .collect();
        text += &format!(
            "{} texts are refused by every runner; smallest: {}\n",
            found.refused,
            examples.join(", ")
        );
    }
    if found.lossy > 0 {
        let examples: Vec<String> = found.lossy_examples.iter().map(|text| shown(text)).collect();
        text += &format!(
            "{} texts do not come back from their tokens; smallest: {}\n",
            found.lossy,
            examples.join(", ")
        );
        if found.lost_by.is_empty() {
            text += "each of these came back from every runner's container by every runner\n";
        }
    }
    for lost in &found.lost_by {
        text += &format!("LOST: {}\n", printable(lost));
    }
    text += &told_ids(reference, &found.ids);
    let verdict = if found.held() { "pass" } else { "fail" };
    let known = found
        .differences
        .iter()
        .filter(|difference| difference.reason.is_some())
        .count();
    let unknown = found.differences.len() - known + found.ids.differences.len();
    text + &format!("{verdict}: {}, {known} known\n", counted(unknown, "difference"))
}

/// What was found of ids, as text.
fn told_ids(reference: &str, found: &IdFindings) -> String {
    let mut text = format!("{} ids and {} pairs of ids decoded\n", found.singles, found.pairs);
    for difference in &found.differences {
        text += &format!(
            "DIFFERENT: ids {:?} ({})\n",
            difference.ids,
            counted(difference.count, "sequence")
        );
        for (name, decoded) in [
            (reference, &difference.expected),
            (&difference.runner, &difference.found),
        ] {
            let decoded = match decoded {
                Decoded::Text(text) => shown(text),
                Decoded::Refused(code) => format!("refused: {}", code.name()),
            };
            text += &format!("  {name}: {decoded}\n");
        }
    }
    if found.unshown > 0 {
        text += &format!(
            "not shown: {} more sequences of ids that differ; the first {MOST_SHOWN} differences of each runner are above\n",
            found.unshown
        );
    }
    if found.refused > 0 {
        let examples: Vec<String> = found.refused_examples.iter().map(|ids| format!("{ids:?}")).collect();
        text += &format!(
            "{} ids or pairs are refused by every runner; smallest: {}\n",
            found.refused,
            examples.join(", ")
        );
    }
    text
}

fn told_difference(reference: &str, difference: &Difference) -> String {
    let word = if difference.reason.is_some() {
        "known"
    } else {
        "DIFFERENT"
    };
    let mut text = format!(
        "{word}: {} ({})\n",
        shown(&difference.text),
        counted(difference.count, "text")
    );
    for (name, answer) in [
        (reference, &difference.expected),
        (&difference.runner, &difference.found),
    ] {
        text += &format!("  {name}: {}\n", shown_answer(answer));
    }
    if let Some(reason) = &difference.reason {
        text += &format!("  {}\n", printable(reason));
    }
    text
}

fn shown_answer(answer: &Answer) -> String {
    match answer {
        Answer::Refused(code) => format!("refused: {}", code.name()),
        Answer::Read(reading) => {
            let ids: Vec<String> = reading.ids.iter().take(SHOWN_IDS).map(ToString::to_string).collect();
            let more = if reading.ids.len() > SHOWN_IDS { " ..." } else { "" };
            format!("[{}{more}], back {}", ids.join(" "), shown(&reading.text))
        }
    }
}

/// A number with its noun.
fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A text in ASCII, as a string of Rust has it.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(SHOWN_CHARACTERS).collect();
    let more = if start.len() < text.len() { "..." } else { "" };
    format!("\"{}\"{more}", start.escape_default())
}
