//! Owns the JSON file of a report.

use super::Report;
use crate::{Error, ErrorCode, Result};

/// The report as JSON text, with a line end.
///
/// # Errors
/// `internal` when a number cannot be written.
pub fn render(report: &Report) -> Result<String> {
    let mut text = serde_json::to_string_pretty(report)
        .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write the report: {source}")))?;
    text.push('\n');
    Ok(text)
}
