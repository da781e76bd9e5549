//! Owns the Markdown summary of a report, such as a CI system shows beside a run.

use std::fmt::Write as _;

use super::Report;
use super::sections::{Cell, sections, verdict_line};

/// The report as Markdown.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut text = format!("# LLMzip conformance\n\n**{}**\n", escape(&verdict_line(report).text));
    for section in sections(report) {
        let _ = writeln!(text, "\n## {}\n", section.title);
        let _ = writeln!(text, "| {} |", section.header.join(" | "));
        let _ = writeln!(text, "|{}", "---|".repeat(section.header.len()));
        for row in &section.rows {
            let cells: Vec<String> = row.iter().map(|cell: &Cell| escape(&cell.text)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        if !section.remarks.is_empty() {
            text.push('\n');
        }
        for remark in &section.remarks {
            let _ = writeln!(text, "- {}", escape(remark));
        }
    }
    text
}

/// Text of a runner may hold anything; in a table cell it stays one line and no markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => escaped.push(' '),
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}
