use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::golden::synthetic::{SYNTHETIC_START_TOKEN, SYNTHETIC_VOCAB_SIZE, SyntheticModel};
use crate::model::source::{Logits, LogitsType, TextTokenizer};
use crate::model::testing::tiny;

const POLICY: ContextPolicy = ContextPolicy {
    start_token: SYNTHETIC_START_TOKEN,
    window: 16,
    overlap: 5,
};

fn ids(count: u32) -> Vec<u32> {
    (0..count).map(|i| (i * 31 + i / 7) % 256).collect()
}

/// The three files of an operation, in a folder of their own.
struct Written {
    folder: TempDir,
}

impl Written {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write<S: LogitsSource + ?Sized>(
        &self,
        source: &mut S,
        policy: ContextPolicy,
        plan: Plan,
        ids: &[u32],
    ) -> Result<()> {
        let (logits, coded, rows) = (self.path("logits"), self.path("coded"), self.path("rows"));
        let files = LogProbFiles {
            logits: &logits,
            coded: &coded,
            rows: Some(&rows),
        };
        write_log_probs(source, policy, plan, ids, files, |_, _| Ok(()))
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn read_f64(&self, name: &str) -> Vec<f64> {
        let bytes = self.read(name);
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f64::from_le_bytes(bytes))
            .collect()
    }

    fn is_empty(&self) -> bool {
        self.folder.path().read_dir().unwrap().next().is_none()
    }
}

#[test]
fn rows_stand_in_the_order_of_the_ids_whatever_the_plan() {
    let ids = ids(101);
    for batch in [true, false] {
        for (lanes, chunk) in [(1, 1), (1, 7), (1, 1000), (4, 1), (4, 3), (101, 2), (200, 1)] {
            let source = || {
                if batch {
                    SyntheticModel::new()
                } else {
                    SyntheticModel::without_batch()
                }
            };
            let files = Written::new();
            files
                .write(&mut source(), POLICY, Plan::new(lanes, chunk), &ids)
                .unwrap();
            let (logits, coded, rows) = (files.read("logits"), files.read_f64("coded"), files.read_f64("rows"));
            assert_eq!(logits.len(), ids.len() * SYNTHETIC_VOCAB_SIZE * 4);
            assert_eq!(rows.len(), ids.len() * SYNTHETIC_VOCAB_SIZE);
            // Each lane asked for by itself, token by token.
            for lane in lane_ranges(ids.len(), lanes) {
                let mut source = source();
                let mut next = NextToken::new(&mut source, POLICY).unwrap();
                for index in lane {
                    let expected = next.log_probs().unwrap();
                    assert_eq!(&rows[index * SYNTHETIC_VOCAB_SIZE..][..SYNTHETIC_VOCAB_SIZE], expected);
                    assert_eq!(coded[index], expected[ids[index] as usize]);
                    next.append(ids[index]).unwrap();
                }
            }
        }
    }
}

#[test]
fn log_probs_are_those_of_the_logits() {
    let ids = ids(40);
    let files = Written::new();
    files
        .write(&mut SyntheticModel::new(), POLICY, Plan::new(3, 4), &ids)
        .unwrap();
    let logits = files.read("logits");
    let logits = logits
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| f64::from(f32::from_le_bytes(bytes)))
        .collect::<Vec<_>>();
    let rows = files.read_f64("rows");
    for (logits, log_probs) in logits
        .chunks(SYNTHETIC_VOCAB_SIZE)
        .zip(rows.chunks(SYNTHETIC_VOCAB_SIZE))
    {
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = logits.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln();
        for (logit, log_prob) in logits.iter().zip(log_probs) {
            approx::assert_abs_diff_eq!((logit - max) - sum, *log_prob, epsilon = 1e-12);
        }
        approx::assert_abs_diff_eq!(log_probs.iter().map(|p| p.exp()).sum::<f64>(), 1.0, epsilon = 1e-12);
    }
}

#[test]
fn no_ids_give_empty_files() {
    let files = Written::new();
    files
        .write(&mut SyntheticModel::new(), POLICY, Plan::new(8, 1), &[])
        .unwrap();
    for name in ["logits", "coded", "rows"] {
        assert!(files.read(name).is_empty());
    }
}

/// A model whose row number `bad` is not finite.
struct Failing {
    model: SyntheticModel,
    fed: usize,
    bad: usize,
    logits: Vec<f32>,
}

impl LogitsSource for Failing {
    fn vocab_size(&self) -> usize {
        self.model.vocab_size()
    }

    fn logits_type(&self) -> LogitsType {
        self.model.logits_type()
    }

    fn max_batch(&self) -> usize {
        usize::MAX
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        self.model.reset(batch)
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        self.model.keep_lanes(batch)
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        let Logits::F32(logits) = self.model.feed(ids, length)? else {
            unreachable!()
        };
        self.logits = logits.to_vec();
        if (self.fed..self.fed + length).contains(&self.bad) {
            self.logits[1] = f32::NAN;
        }
        self.fed += length;
        Ok(Logits::F32(&self.logits))
    }
}

#[test]
fn a_failure_leaves_no_file() {
    let check = |code: ErrorCode, policy: ContextPolicy, plan: Plan, ids: &[u32]| {
        let files = Written::new();
        let mut source = Failing {
            model: SyntheticModel::new(),
            fed: 0,
            bad: 9,
            logits: Vec::new(),
        };
        assert_eq!(files.write(&mut source, policy, plan, ids).unwrap_err().code, code);
        assert!(files.is_empty(), "{code:?}");
    };
    let plan = Plan::new(1, 1);
    check(ErrorCode::Model, POLICY, plan, &ids(20));
    check(ErrorCode::Usage, POLICY, plan, &[1, 2, SYNTHETIC_VOCAB_SIZE as u32]);
    check(ErrorCode::Usage, POLICY, Plan { lanes: 0, ..plan }, &[1]);
    check(ErrorCode::Usage, POLICY, Plan { lanes: 257, ..plan }, &[1]);
    check(ErrorCode::Usage, POLICY, Plan { chunk: 0, ..plan }, &[1]);
    check(ErrorCode::Usage, ContextPolicy { overlap: 16, ..POLICY }, plan, &[1]);
}

#[test]
fn progress_counts_ids_and_can_end_the_work() {
    let files = Written::new();
    let (logits, coded) = (files.path("logits"), files.path("coded"));
    let paths = LogProbFiles {
        logits: &logits,
        coded: &coded,
        rows: None,
    };
    let plan = Plan::new(2, 3);
    let mut seen = Vec::new();
    let mut source = SyntheticModel::new();
    write_log_probs(&mut source, POLICY, plan, &ids(9), paths, |done, total| {
        seen.push((done, total));
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, (1..=9).map(|done| (done, 9)).collect::<Vec<_>>());
    let stop = |done, _| match done {
        4 => Err(Error::new(ErrorCode::Interrupted, "enough")),
        _ => Ok(()),
    };
    std::fs::write(&logits, "before").unwrap();
    let error = write_log_probs(&mut source, POLICY, plan, &ids(9), paths, stop).unwrap_err();
    assert_eq!(error.code, ErrorCode::Interrupted);
    assert_eq!(files.read("logits"), b"before");
}

#[test]
fn an_id_outside_the_vocabulary_is_refused_and_nothing_is_lost() {
    let mut source = SyntheticModel::new();
    let mut next = NextToken::new(&mut source, POLICY).unwrap();
    let before = next.log_probs().unwrap().to_vec();
    assert_eq!(
        next.append(SYNTHETIC_VOCAB_SIZE as u32).unwrap_err().code,
        ErrorCode::Usage
    );
    assert_eq!(next.log_probs().unwrap(), before);
}

#[test]
fn the_embedded_model_predicts_counting() {
    for variant in ["q4f16", "q4"] {
        let Some(mut model) = tiny(variant) else { return };
        let policy = ContextPolicy {
            start_token: 0,
            window: 512,
            overlap: 128,
        };
        let text = (1..=300).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        let ids = model.tokenizer.encode(&text).unwrap();
        let files = Written::new();
        files
            .write(model.session.as_mut(), policy, Plan::new(1, 128), &ids)
            .unwrap();
        let coded = files.read_f64("coded");
        let bits = -coded.iter().sum::<f64>() / ids.len() as f64 / std::f64::consts::LN_2;
        assert!(bits < 2.0, "{variant}: {bits} bits per token");
        assert_eq!(files.read("logits").len(), ids.len() * model.session.vocab_size() * 4);
    }
}
