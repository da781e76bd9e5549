//! Owns how a report looks in a terminal: aligned columns, colour only where it is asked for. It is for people; programs
//! read the JSON.

use std::fmt::Write as _;

use console::Style;

use super::Report;
use super::sections::{Cell, Section, Tone, sections, verdict_line};

/// The report as text; `colour` switches escape sequences on.
#[must_use]
pub fn render(report: &Report, colour: bool) -> String {
    render_sections(&sections(report), &verdict_line(report), colour)
}

/// Sections and a last line as text; `colour` switches escape sequences on.
#[must_use]
pub fn render_sections(sections: &[Section], last_line: &Cell, colour: bool) -> String {
    let mut text = String::new();
    for section in sections {
        render_section(&mut text, section, colour);
        text.push('\n');
    }
    text.push_str(&paint(last_line, colour));
    text.push('\n');
    text
}

fn render_section(text: &mut String, section: &Section, colour: bool) {
    let columns = section.header.len();
    let mut widths: Vec<usize> = section.header.iter().map(|name| name.chars().count()).collect();
    for row in &section.rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    let title = Style::new().bold().force_styling(colour).apply_to(section.title);
    let _ = writeln!(text, "{title}");
    let header: Vec<String> = section
        .header
        .iter()
        .zip(&widths)
        .map(|(name, width)| format!("{name:<width$}"))
        .collect();
    let _ = writeln!(text, "  {}", header.join("  ").trim_end());
    for row in &section.rows {
        let mut line = String::from(" ");
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let padding = if column + 1 == columns {
                0
            } else {
                width - cell.text.chars().count()
            };
            let _ = write!(line, " {}{:padding$} ", paint(cell, colour), "");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for remark in &section.remarks {
        let _ = writeln!(text, "  {}", printable(remark));
    }
}

fn paint(cell: &Cell, colour: bool) -> String {
    let style = Style::new().force_styling(colour);
    let style = match cell.tone {
        Tone::Plain => return printable(&cell.text),
        Tone::Good => style.green(),
        Tone::Fair => style.yellow(),
        Tone::Bad => style.red().bold(),
    };
    style.apply_to(printable(&cell.text)).to_string()
}

/// A runner's words may hold anything; none of it may steer the terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect()
}
