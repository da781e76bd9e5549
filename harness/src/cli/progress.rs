//! Owns the progress bars, of runners and of a file: on a terminal only.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Output;
use crate::compressor::Progress as TokenProgress;
use crate::conform::Observer;
use crate::models;
use crate::report::terminal::printable;
use crate::runner::protocol::Progress;
use crate::setup::Narrator;
use crate::{Result, interrupt};

const TICK: Duration = Duration::from_millis(120);
const VERIFYING: &str = "verify";

/// Draws what runners are doing.
pub struct RunnerBars {
    bars: MultiProgress,
    by_runner: Mutex<BTreeMap<String, ProgressBar>>,
}

impl RunnerBars {
    /// Draws nothing where `output` may not.
    pub fn new(output: &Output) -> Self {
        let target = if output.draws() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            by_runner: Mutex::default(),
        }
    }

    fn bar(&self, runner: &str) -> ProgressBar {
        let mut bars = self.by_runner.lock().unwrap_or_else(PoisonError::into_inner);
        bars.entry(runner.to_owned())
            .or_insert_with(|| {
                let bar = self.bars.add(ProgressBar::new(0));
                bar.set_prefix(runner.to_owned());
                if let Ok(style) = ProgressStyle::with_template("{prefix:>8} {spinner} {wide_msg} {pos}/{len}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(TICK);
                bar
            })
            .clone()
    }

    /// Takes all bars away.
    pub fn clear(&self) {
        // A terminal that cannot be cleared is no reason to fail.
        let _ = self.bars.clear();
    }
}

impl Observer for RunnerBars {
    fn working(&self, runner: &str, model: &str, request: &str, progress: Option<Progress>) {
        let bar = self.bar(runner);
        bar.set_message(format!("{model} {request}"));
        let Progress { done, total } = progress.unwrap_or(Progress { done: 0, total: 0 });
        bar.set_length(total);
        bar.set_position(done);
    }

    fn resting(&self, runner: &str) {
        self.bar(runner).set_message("");
    }
}

/// Draws how far one file is: bytes, tokens per second, the time that is left where the length is known.
pub struct FileBar {
    /// None where nothing is drawn.
    bar: Option<ProgressBar>,
    /// How many bytes of the file were read.
    read: Rc<Cell<u64>>,
    /// The tokens of all of the file, once all of it was read.
    tokens: Cell<u64>,
    drawn: Cell<Option<Instant>>,
}

impl FileBar {
    /// Draws nothing where `output` may not. `read` is how far the file was read, `size` its length.
    pub fn new(output: &Output, what: &'static str, read: Rc<Cell<u64>>, size: Option<u64>) -> Self {
        let bar = output.draws().then(|| {
            let template = match size {
                Some(_) => "{prefix} {wide_bar} {bytes}/{total_bytes}, {msg} tokens/s, {eta} left",
                None => "{prefix} {spinner} {bytes}, {msg} tokens/s",
            };
            let bar = size.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            // Before anything is set that draws it.
            let bar = match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            };
            bar.with_prefix(what)
        });
        Self {
            bar,
            read,
            tokens: Cell::new(0),
            drawn: Cell::new(None),
        }
    }

    /// Shows it; fails once the end was asked for.
    pub fn show(&self, progress: TokenProgress) -> Result<()> {
        self.tokens.set(progress.total);
        self.draw(progress.done, progress.total);
        interrupt::check()
    }

    /// The file was written, and is now read back.
    pub fn show_verifying(&self, progress: TokenProgress) -> Result<()> {
        if let Some(bar) = self.bar.as_ref().filter(|bar| bar.prefix() != VERIFYING) {
            bar.reset();
            bar.set_prefix(VERIFYING);
        }
        self.draw(progress.done, self.tokens.get());
        interrupt::check()
    }

    /// At most every so often: tokens come faster than anybody reads.
    fn draw(&self, done: u64, total: u64) {
        let Some(bar) = &self.bar else { return };
        if self.drawn.get().is_some_and(|last| last.elapsed() < TICK) {
            return;
        }
        self.drawn.set(Some(Instant::now()));
        let seconds = bar.elapsed().as_secs_f64();
        if seconds > 0.0 {
            bar.set_message(format!("{:.0}", done as f64 / seconds));
        }
        let share = u128::from(self.read.get()) * u128::from(done) / u128::from(total.max(1));
        bar.set_position(u64::try_from(share).unwrap_or(u64::MAX));
    }
}

impl Drop for FileBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Draws how far a file of a model is, and says what was done with it.
pub struct TransferBar<'a> {
    output: &'a Output,
    bar: Mutex<Option<ProgressBar>>,
}

impl<'a> TransferBar<'a> {
    /// Draws nothing where `output` may not.
    pub const fn new(output: &'a Output) -> Self {
        Self {
            output,
            bar: Mutex::new(None),
        }
    }

    fn with(&self, change: impl FnOnce(&mut Option<ProgressBar>)) {
        change(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl models::Observer for TransferBar<'_> {
    fn begins(&self, file: &str, total: Option<u64>) {
        if !self.output.draws() {
            return;
        }
        let template = match total {
            Some(_) => "{prefix} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{prefix} {spinner} {bytes}, {bytes_per_sec}",
        };
        let mut bar = ProgressBar::new(total.unwrap_or(0));
        // Before anything is set that draws it.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar = bar.with_style(style);
        }
        bar.set_prefix(printable(file));
        self.with(|shown| *shown = Some(bar));
    }

    fn reached(&self, done: u64) {
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.set_position(done);
            }
        });
    }

    fn ended(&self) {
        self.with(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
    }

    fn says(&self, words: &str) {
        self.with(|bar| match bar {
            Some(bar) => bar.suspend(|| self.output.talk(&printable(words))),
            None => self.output.talk(&printable(words)),
        });
    }
}

/// Says what set-up is doing.
pub struct SetupTalk<'a> {
    output: &'a Output,
    bar: Option<ProgressBar>,
}

impl<'a> SetupTalk<'a> {
    /// Nothing is being done yet.
    pub const fn new(output: &'a Output) -> Self {
        Self { output, bar: None }
    }
}

impl Narrator for SetupTalk<'_> {
    fn begins(&mut self, what: &str) {
        self.output.talk(&format!("set-up: {what}"));
        if self.output.draws() {
            let bar = ProgressBar::new_spinner();
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(TICK);
            self.bar = Some(bar);
        }
    }

    fn ended(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
