//! Owns how long a loaded model takes to compress and to decompress some bytes, how much of that is spent inside its session, and how
//! long the session takes for the same passes when nobody looks at the logits. It runs what `compressor` has, and changes nothing of it.

mod timed_source;

use std::time::{Duration, Instant};

use crate::archive::{ArchiveSettings, compress_options, identity};
use crate::compressor::{OnProgress, Progress, compress, decompress, writer_plan};
use crate::container::layout;
use crate::container::reader::ContainerReader;
use crate::container::runs::split_runs;
use crate::model::context::{Plan, rows_of_known_tokens};
use crate::model::loaded::LoadedModel;
use crate::{Error, ErrorCode, Result};

use timed_source::TimedSource;

/// The most plain bytes that are timed: a frame's.
pub const MAX_FRAME_BYTES: usize = layout::MAX_FRAME_BYTES as usize;

/// One way through a container, beside the passes alone. All in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timed {
    /// From the first byte to the last.
    pub elapsed: f64,
    /// As much of that as the session took: tensors made, the graph run, caches kept.
    pub session: f64,
    /// The same passes without a codec.
    pub passes: f64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// How many bytes were compressed.
    pub plain_bytes: u64,
    /// The length of the container.
    pub container_bytes: u64,
    /// How many tokens were coded.
    pub tokens: u64,
    /// Each run's compression.
    pub encode: Vec<Timed>,
    /// Each run's decompression.
    pub decode: Vec<Timed>,
}

/// Compresses `plain`, which is one frame, and decompresses the container, in memory, `runs` times; every time beside the passes alone,
/// which come first in every other run. One round of passes goes before, uncounted, to warm up.
///
/// # Errors
/// `usage` where `plain` is longer than a frame, or nothing of it would be coded; those of [`compress`] and [`decompress`].
pub fn time_round_trips(
    model: &mut LoadedModel,
    plain: &[u8],
    settings: &ArchiveSettings,
    runs: usize,
    on_progress: OnProgress<'_>,
) -> Result<Timing> {
    if plain.len() > MAX_FRAME_BYTES {
        let message = format!(
            "{} bytes are more than a frame's {MAX_FRAME_BYTES}, and what is timed is one frame",
            plain.len()
        );
        return Err(Error::new(ErrorCode::Usage, message).with_hint("give a shorter input"));
    }
    let settings = ArchiveSettings {
        frame_bytes: MAX_FRAME_BYTES,
        ..*settings
    };
    // What `compress` would refuse is refused before the passes that warm up.
    compress_options(model, &settings).check(model.session.as_ref())?;
    let tokens = split_runs(plain, &model.tokenizer)?.tokens;
    let lanes = settings.lanes.of(tokens.len());
    let writing = writer_plan(model.session.as_ref(), lanes, settings.eps);
    let reading = Plan::new(lanes, 1);
    // Of each run: a container written and read, and the passes of both; and those that warm up.
    let mut steps = Steps {
        done: 0,
        total: tokens.len() as u64 * (4 * runs as u64 + 1),
        on_progress,
    };
    let mut timing = Timing {
        plain_bytes: plain.len() as u64,
        container_bytes: 0,
        tokens: tokens.len() as u64,
        encode: Vec::new(),
        decode: Vec::new(),
    };
    passes(model, &settings, writing, &tokens, &mut steps)?;
    for run in 0..runs {
        let passes_first = run % 2 == 1;
        let mut container = Vec::new();
        let encode = beside_passes(
            model,
            &settings,
            writing,
            &tokens,
            passes_first,
            &mut steps,
            |model, steps| {
                container.clear();
                write(model, plain, &settings, &mut container, steps)
            },
        )?;
        timing.encode.push(encode);
        let decode = beside_passes(
            model,
            &settings,
            reading,
            &tokens,
            passes_first,
            &mut steps,
            |model, steps| read(model, &container, plain.len(), steps),
        )?;
        timing.decode.push(decode);
        timing.container_bytes = container.len() as u64;
    }
    Ok(timing)
}

/// How far all of it is.
struct Steps<'a> {
    done: u64,
    total: u64,
    on_progress: OnProgress<'a>,
}

impl Steps<'_> {
    fn step(&mut self) -> Result<()> {
        self.done += 1;
        (self.on_progress)(Progress {
            done: self.done,
            total: self.total,
        })
    }
}

/// What `work` takes, as a whole and inside the session, beside the passes of `plan`.
fn beside_passes(
    model: &mut LoadedModel,
    settings: &ArchiveSettings,
    plan: Plan,
    tokens: &[u32],
    passes_first: bool,
    steps: &mut Steps<'_>,
    work: impl FnOnce(&mut LoadedModel, &mut Steps<'_>) -> Result<(Duration, Duration)>,
) -> Result<Timed> {
    let before = if passes_first {
        Some(passes(model, settings, plan, tokens, steps)?)
    } else {
        None
    };
    let (elapsed, session) = work(model, steps)?;
    let passes = match before {
        Some(time) => time,
        None => passes(model, settings, plan, tokens, steps)?,
    };
    Ok(Timed {
        elapsed: elapsed.as_secs_f64(),
        session: session.as_secs_f64(),
        passes: passes.as_secs_f64(),
    })
}

/// The time of all passes of a plan; their logits are not looked at.
fn passes(
    model: &mut LoadedModel,
    settings: &ArchiveSettings,
    plan: Plan,
    tokens: &[u32],
    steps: &mut Steps<'_>,
) -> Result<Duration> {
    let started = Instant::now();
    rows_of_known_tokens(model.session.as_mut(), settings.context, plan, tokens, |rows| {
        rows.iter().try_for_each(|_| steps.step())
    })?;
    Ok(started.elapsed())
}

/// The time of a compression, and of its session.
fn write(
    model: &mut LoadedModel,
    plain: &[u8],
    settings: &ArchiveSettings,
    container: &mut Vec<u8>,
    steps: &mut Steps<'_>,
) -> Result<(Duration, Duration)> {
    let options = compress_options(model, settings);
    let started = Instant::now();
    let mut source = TimedSource::new(model.session.as_mut());
    let summary = compress(plain, container, &mut source, &model.tokenizer, &options, &mut |_| {
        steps.step()
    })?;
    let (elapsed, session) = (started.elapsed(), source.spent);
    if summary.tokens == 0 {
        return Err(Error::new(
            ErrorCode::Usage,
            "the input is stored, not coded: there is nothing to time",
        )
        .with_hint("give a longer text, of the kind that the model knows"));
    }
    Ok((elapsed, session))
}

/// The time of a decompression, and of its session.
fn read(
    model: &mut LoadedModel,
    container: &[u8],
    plain_bytes: usize,
    steps: &mut Steps<'_>,
) -> Result<(Duration, Duration)> {
    let identity = identity(model);
    let mut plain = Vec::with_capacity(plain_bytes);
    let started = Instant::now();
    let mut source = TimedSource::new(model.session.as_mut());
    let container = ContainerReader::open(container)?;
    decompress(
        container,
        &mut plain,
        &mut source,
        &model.tokenizer,
        &identity,
        &mut |_| steps.step(),
    )?;
    Ok((started.elapsed(), source.spent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compressor::Lanes;
    use crate::model::context::ContextPolicy;
    use crate::model::testing::tiny;

    fn settings(lanes: usize) -> ArchiveSettings {
        ArchiveSettings {
            lanes: Lanes::Fixed(lanes),
            eps: "2e-4".parse().unwrap(),
            context: ContextPolicy {
                start_token: 0,
                window: 64,
                overlap: 16,
            },
            frame_bytes: 1,
        }
    }

    #[test]
    fn every_run_is_timed_and_the_session_is_a_part_of_it() {
        let Some(mut model) = tiny("q4") else { return };
        let plain = "one and two and three; ".repeat(12);
        for lanes in [1, 3] {
            let mut last = Progress::default();
            let timing = time_round_trips(&mut model, plain.as_bytes(), &settings(lanes), 2, &mut |progress| {
                assert_eq!(progress.done, last.done + 1);
                last = progress;
                Ok(())
            })
            .unwrap();
            assert_eq!(last.done, last.total);
            assert_eq!(last.total, timing.tokens * 9);
            assert_eq!(timing.plain_bytes, plain.len() as u64);
            assert!(timing.container_bytes < timing.plain_bytes);
            for runs in [&timing.encode, &timing.decode] {
                assert_eq!(runs.len(), 2);
                for run in runs {
                    assert!(run.passes > 0.0 && run.session > 0.0);
                    assert!(run.session < run.elapsed, "{run:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_coded_frame_is_not_timed() {
        let Some(mut model) = tiny("q4") else { return };
        let check = |model: &mut LoadedModel, plain: &[u8], said: &str| {
            let error = time_round_trips(model, plain, &settings(1), 1, &mut |_| Ok(())).unwrap_err();
            assert_eq!(error.code, ErrorCode::Usage);
            assert!(error.message.contains(said), "{error}");
        };
        check(&mut model, b"", "stored, not coded");
        check(&mut model, &vec![b'a'; MAX_FRAME_BYTES + 1], "more than a frame's");
    }
}
