//! Owns the log-probs of the next token: the library's way to ask a model, and the files of the `logprobs` operation. The codec
//! has no part in it but the weights that give the log-probs.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::codec::tree::Tree;
use crate::files::OutputFile;
use crate::model::context::{ContextPolicy, Feeder, MAX_LANES, PlacedRow, Plan, lane_ranges, rows_of_known_tokens};
use crate::model::source::{LogitsSource, Row};
use crate::{Error, ErrorCode, Result};

/// Asks for one token after the other: [`NextToken::log_probs`] of the next, [`NextToken::append`] once it is known.
#[derive(Debug)]
pub struct NextToken<'s, S: ?Sized> {
    feeder: Feeder<'s, S>,
    tree: Tree,
    tokens: Vec<u32>,
    log_probs: Vec<f64>,
}

impl<'s, S: LogitsSource + ?Sized> NextToken<'s, S> {
    /// Starts with no token; the source is this object's alone as long as it is used.
    ///
    /// # Errors
    /// Those of [`ContextPolicy::check`].
    pub fn new(source: &'s mut S, policy: ContextPolicy) -> Result<Self> {
        let tree = Tree::new(source.vocab_size());
        Ok(Self {
            feeder: Feeder::new(source, policy)?,
            tree,
            tokens: Vec::new(),
            log_probs: Vec::new(),
        })
    }

    /// The log-probs of the next token, one for each id, in nats.
    ///
    /// # Errors
    /// `model` when the graph fails or a logit is not finite.
    pub fn log_probs(&mut self) -> Result<&[f64]> {
        if self.log_probs.is_empty() {
            let tokens = &self.tokens;
            let logits = self.feeder.feed(1, tokens.len(), 1, |_, index| tokens[index])?;
            let row = logits.row(0, self.tree.vocab_size());
            self.tree.take_row(row)?;
            self.tree.log_probs(&mut self.log_probs);
        }
        Ok(&self.log_probs)
    }

    /// Says what the next token is.
    ///
    /// # Errors
    /// `usage` when it is not in the vocabulary; those of [`NextToken::log_probs`].
    pub fn append(&mut self, id: u32) -> Result<()> {
        check_ids(&[id], self.tree.vocab_size())?;
        // Every input is fed, whether its row was asked for or not.
        self.log_probs()?;
        self.log_probs.clear();
        self.tokens.push(id);
        Ok(())
    }
}

/// Hands the row that predicts each of `ids` to `on_row(index, row, tree)`, in the order in which the plan computes them; `tree` has
/// taken in the row.
///
/// # Errors
/// `usage` when the plan is none or an id is not in the vocabulary; `model` when the graph fails or a logit is not finite; those of
/// the policy and of `on_row`.
pub fn next_token_log_probs<S, F>(
    source: &mut S,
    policy: ContextPolicy,
    plan: Plan,
    ids: &[u32],
    mut on_row: F,
) -> Result<()>
where
    S: LogitsSource + ?Sized,
    F: FnMut(usize, Row<'_>, &Tree) -> Result<()>,
{
    check_plan(plan)?;
    check_ids(ids, source.vocab_size())?;
    let lanes = lane_ranges(ids.len(), plan.lanes);
    let mut tree = Tree::new(source.vocab_size());
    rows_of_known_tokens(source, policy, plan, ids, |rows| {
        rows.iter().try_for_each(|&PlacedRow { lane, index, row }| {
            tree.take_row(row)?;
            on_row(lanes[lane].start + index, row, &tree)
        })
    })
}

/// Where the `logprobs` operation writes (PROTOCOL.md).
#[derive(Clone, Copy, Debug)]
pub struct LogProbFiles<'p> {
    /// The graph's own logits, a row per id.
    pub logits: &'p Path,
    /// The log-prob of each id.
    pub coded: &'p Path,
    /// The log-probs of the whole vocabulary, a row per id.
    pub rows: Option<&'p Path>,
}

/// Writes the files of the `logprobs` operation, little-endian, a row per id in the order of the ids; existing files are replaced.
/// `progress(done, total)` counts ids. No file appears unless all are whole.
///
/// # Errors
/// Those of [`next_token_log_probs`] and of `progress`; `io` when a file cannot be written.
pub fn write_log_probs<S, P>(
    source: &mut S,
    policy: ContextPolicy,
    plan: Plan,
    ids: &[u32],
    files: LogProbFiles<'_>,
    mut progress: P,
) -> Result<()>
where
    S: LogitsSource + ?Sized,
    P: FnMut(u64, u64) -> Result<()>,
{
    let mut logits = RowFile::create(files.logits)?;
    let mut coded = RowFile::create(files.coded)?;
    let mut rows = files.rows.map(RowFile::create).transpose()?;
    let mut log_probs = Vec::new();
    let mut done = 0;
    next_token_log_probs(source, policy, plan, ids, |index, row, tree| {
        match row {
            Row::F32(values) => logits.put(index, values.iter().map(|value| value.to_le_bytes()))?,
            Row::F16(values) => logits.put(index, values.iter().map(|value| value.to_le_bytes()))?,
        }
        coded.put(index, std::iter::once(tree.log_prob(ids[index]).to_le_bytes()))?;
        if let Some(rows) = &mut rows {
            tree.log_probs(&mut log_probs);
            rows.put(index, log_probs.iter().map(|value| value.to_le_bytes()))?;
        }
        done += 1;
        progress(done, ids.len() as u64)
    })?;
    for file in [logits, coded].into_iter().chain(rows) {
        file.file.commit()?;
    }
    Ok(())
}

/// A file of rows of one size, which come in any order: lanes take turns.
struct RowFile {
    file: OutputFile,
    row: Vec<u8>,
    position: u64,
}

impl RowFile {
    fn create(path: &Path) -> Result<Self> {
        Ok(Self {
            file: OutputFile::create(path, true)?,
            row: Vec::new(),
            position: 0,
        })
    }

    fn put<const N: usize>(&mut self, index: usize, values: impl Iterator<Item = [u8; N]>) -> Result<()> {
        self.row.clear();
        self.row.extend(values.flatten());
        self.write_at(index as u64 * self.row.len() as u64)
            .map_err(|error| Error::io("write", self.file.path(), &error))
    }

    fn write_at(&mut self, offset: u64) -> io::Result<()> {
        if offset != self.position {
            self.file.seek(SeekFrom::Start(offset))?;
        }
        self.file.write_all(&self.row)?;
        self.position = offset + self.row.len() as u64;
        Ok(())
    }
}

fn check_plan(plan: Plan) -> Result<()> {
    if (1..=MAX_LANES).contains(&plan.lanes) && plan.chunk >= 1 {
        return Ok(());
    }
    let message = format!("{} lanes and a chunk of {} are no plan", plan.lanes, plan.chunk);
    Err(Error::new(ErrorCode::Usage, message)
        .with_hint(format!("give 1 to {MAX_LANES} lanes and a chunk of at least 1")))
}

fn check_ids(ids: &[u32], vocab_size: usize) -> Result<()> {
    match ids.iter().find(|&&id| id as usize >= vocab_size) {
        None => Ok(()),
        Some(id) => Err(
            Error::new(ErrorCode::Usage, format!("id {id} is not in the vocabulary"))
                .with_hint(format!("give ids 0 .. {}", vocab_size - 1)),
        ),
    }
}

#[cfg(test)]
mod tests;
