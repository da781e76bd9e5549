//! Owns what a runner's times come to: rates, shares and sizes, the median of the runs.

use serde::Serialize;

use crate::runner::protocol::{Bench, BenchResult, BenchTime};
use crate::{Error, ErrorCode, Result};

/// Which way through a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Compression.
    Encode,
    /// Decompression.
    Decode,
}

/// One measurement: the medians of its runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchRow {
    /// The model and its variant.
    pub model: String,
    /// Who computed.
    pub runner: String,
    /// Which way.
    pub operation: Way,
    /// Lanes of the frame.
    pub lanes: u32,
    /// Tokens of the frame.
    pub tokens: u64,
    /// Tokens per second.
    pub tokens_per_s: f64,
    /// Tokens per second of the same passes, with nobody looking at the logits: the limit.
    pub raw_tokens_per_s: f64,
    /// The speed over that of the passes alone, run by run.
    pub of_raw: f64,
    /// How much of the time was spent inside the session.
    pub session_share: f64,
    /// Plain bytes per second.
    pub bytes_per_s: f64,
    /// Bits of the container per plain byte.
    pub bits_per_byte: f64,
    /// The most MiB that the runner's process has held so far.
    pub peak_mib: Option<u64>,
    /// What each run took.
    pub runs: Vec<BenchRun>,
}

/// One run, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BenchRun {
    /// All of it.
    pub elapsed_s: f64,
    /// As much of that as was spent inside the session.
    pub session_s: f64,
    /// The same passes alone.
    pub passes_s: f64,
}

/// A nanosecond and a year: rates of what lies between them are finite.
const SHORTEST_S: f64 = 1e-9;
const LONGEST_S: f64 = 3.2e7;

/// Holds a result to what was asked.
///
/// # Errors
/// `runner`.
pub fn check(runner: &str, request: &Bench, result: &BenchResult, plain_bytes: u64) -> Result<()> {
    let wrong = |what: String| {
        let message = format!("{runner} answered `bench` wrongly: {what}");
        Err(Error::new(ErrorCode::Runner, message).with_hint("PROTOCOL.md says what `bench` gives"))
    };
    if result.plain_bytes != plain_bytes {
        return wrong(format!(
            "it compressed {} bytes, but was given {plain_bytes}",
            result.plain_bytes
        ));
    }
    if result.tokens == 0 || result.tokens > plain_bytes {
        return wrong(format!("it coded {} tokens of {plain_bytes} bytes", result.tokens));
    }
    if result.container_bytes == 0 {
        return wrong("its container has no byte".to_owned());
    }
    for (what, times) in [("encode", &result.encode), ("decode", &result.decode)] {
        if times.len() != request.runs as usize {
            return wrong(format!("`{what}` has {} runs, not {}", times.len(), request.runs));
        }
        let clock = SHORTEST_S..LONGEST_S;
        let is_time = |time: &BenchTime| clock.contains(&time.elapsed_s) && clock.contains(&time.passes_s);
        if let Some(time) = times.iter().find(|time| !is_time(time)) {
            return wrong(format!(
                "{} s and {} s of `{what}` are no times that a clock gives",
                time.elapsed_s, time.passes_s
            ));
        }
        if let Some(time) = times.iter().find(|time| time.session_s > time.elapsed_s) {
            return wrong(format!(
                "{} s of `{what}` were spent in the session, of {} s in all",
                time.session_s, time.elapsed_s
            ));
        }
    }
    Ok(())
}

/// A row for each way.
pub(super) fn rows(
    model: &str,
    runner: &str,
    lanes: u32,
    result: &BenchResult,
    peak_mib: Option<u64>,
) -> [BenchRow; 2] {
    let per_second = |count: u64, seconds: f64| count as f64 / seconds;
    [(Way::Encode, &result.encode), (Way::Decode, &result.decode)].map(|(operation, times)| {
        let of = |value: fn(&BenchTime) -> f64| median(times.iter().map(value).collect());
        let elapsed = of(|time| time.elapsed_s);
        BenchRow {
            model: model.to_owned(),
            runner: runner.to_owned(),
            operation,
            lanes,
            tokens: result.tokens,
            tokens_per_s: per_second(result.tokens, elapsed),
            raw_tokens_per_s: per_second(result.tokens, of(|time| time.passes_s)),
            of_raw: of(|time| time.passes_s / time.elapsed_s),
            session_share: of(|time| time.session_s / time.elapsed_s),
            bytes_per_s: per_second(result.plain_bytes, elapsed),
            bits_per_byte: 8.0 * result.container_bytes as f64 / result.plain_bytes as f64,
            peak_mib,
            runs: times
                .iter()
                .map(|time| BenchRun {
                    elapsed_s: time.elapsed_s,
                    session_s: time.session_s,
                    passes_s: time.passes_s,
                })
                .collect(),
        }
    })
}

/// The middle value, or the mean of the two in the middle; there is at least one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(elapsed_s: f64, session_s: f64, passes_s: f64) -> BenchTime {
        BenchTime {
            elapsed_s,
            session_s,
            passes_s,
        }
    }

    fn result() -> BenchResult {
        BenchResult {
            plain_bytes: 4000,
            container_bytes: 500,
            tokens: 1000,
            encode: vec![time(2.0, 1.5, 1.0), time(4.0, 2.0, 1.0), time(2.5, 2.0, 2.0)],
            decode: vec![time(10.0, 9.0, 8.0); 3],
        }
    }

    #[test]
    fn a_row_has_the_medians_of_its_runs() {
        let [encode, decode] = rows("tiny/q4", "rust", 8, &result(), Some(7));
        assert_eq!((encode.operation, decode.operation), (Way::Encode, Way::Decode));
        assert_eq!((encode.tokens_per_s, encode.raw_tokens_per_s), (400.0, 1000.0));
        assert_eq!((encode.of_raw, encode.session_share), (0.5, 0.75));
        assert_eq!((encode.bytes_per_s, encode.bits_per_byte), (1600.0, 1.0));
        assert_eq!((decode.tokens_per_s, decode.raw_tokens_per_s), (100.0, 125.0));
        assert_eq!(median(vec![3.0, 1.0]), 2.0);
    }

    #[test]
    fn a_result_that_cannot_be_is_refused() {
        let request = Bench {
            input_file: "in".into(),
            lanes: 8,
            eps: "0".to_owned(),
            start_token: 0,
            window: 16,
            overlap: 4,
            runs: 3,
        };
        check("mine", &request, &result(), 4000).unwrap();
        let refused = |change: fn(&mut BenchResult), said: &str| {
            let mut result = result();
            change(&mut result);
            let error = check("mine", &request, &result, 4000).unwrap_err();
            assert_eq!(error.code, ErrorCode::Runner);
            assert!(error.message.contains(said), "{error}");
        };
        refused(|result| result.plain_bytes = 3999, "3999 bytes");
        refused(|result| result.tokens = 0, "it coded 0 tokens");
        refused(|result| result.tokens = 4001, "it coded 4001 tokens of 4000 bytes");
        refused(|result| result.container_bytes = 0, "no byte");
        refused(
            |result| result.encode[0].elapsed_s = 5e-324,
            "no times that a clock gives",
        );
        refused(
            |result| result.decode[0].passes_s = 1e308,
            "no times that a clock gives",
        );
        refused(|result| result.encode.truncate(2), "`encode` has 2 runs, not 3");
        refused(|result| result.decode[1].session_s = 10.5, "10.5 s of `decode`");
    }
}
