use super::*;
use crate::model::source::Logits;
use crate::model::source::LogitsType;

const VOCAB_SIZE: usize = 50;

/// A source whose row tells exactly what its lane's cache holds, so that a test sees what every row was computed from.
#[derive(Default)]
struct Witness {
    max_batch: usize,
    cache_bytes: usize,
    caches: Vec<Vec<u32>>,
    logits: Vec<f32>,
    passes: Vec<(usize, usize)>,
}

/// Two numbers that differ for different cache contents.
fn digest(cache: &[u32]) -> [f32; 2] {
    let hash = cache
        .iter()
        .fold(7u32, |hash, &id| (hash ^ id).wrapping_mul(16_777_619).rotate_left(5));
    [f32::from((hash >> 16) as u16), cache.len() as f32]
}

impl LogitsSource for Witness {
    fn vocab_size(&self) -> usize {
        VOCAB_SIZE
    }

    fn logits_type(&self) -> LogitsType {
        LogitsType::Float32
    }

    fn max_batch(&self) -> usize {
        self.max_batch
    }

    fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        assert!((1..=self.max_batch.max(1)).contains(&batch));
        self.caches = vec![Vec::new(); batch];
        Ok(())
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        assert!(batch < self.caches.len());
        self.caches.truncate(batch);
        Ok(())
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        assert_eq!(ids.len(), self.caches.len() * length);
        self.passes.push((self.caches.len(), length));
        self.logits.clear();
        for (cache, ids) in self.caches.iter_mut().zip(ids.chunks(length)) {
            for &id in ids {
                cache.push(id);
                self.logits.extend(digest(cache));
                self.logits.extend([0.0; VOCAB_SIZE - 2]);
            }
        }
        Ok(Logits::F32(&self.logits))
    }
}

fn tokens(count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| (i * 7 + i / 5) % VOCAB_SIZE as u32).collect()
}

/// What the cache must hold when token `index` of `lane` is predicted, straight from FORMAT.md.
fn expected_cache(policy: ContextPolicy, lane: &[u32], index: usize) -> Vec<u32> {
    let input = |i: usize| if i == 0 { policy.start_token } else { lane[i - 1] };
    let mut start = 0;
    let mut end = policy.window;
    while index >= end {
        start = end - policy.overlap;
        end = start + policy.window;
    }
    (start..=index).map(input).collect()
}

fn check(policy: ContextPolicy, plan: Plan, count: usize, max_batch: usize) {
    let tokens = tokens(count);
    let ranges = lane_ranges(count, plan.lanes);
    assert_eq!(ranges.iter().map(ExactSizeIterator::len).sum::<usize>(), count);
    let mut source = Witness {
        max_batch,
        ..Witness::default()
    };
    let mut next = vec![0; ranges.len()];
    rows_of_known_tokens(&mut source, policy, plan, &tokens, |rows| {
        for &PlacedRow { lane, index, row } in rows {
            assert_eq!(index, next[lane]);
            next[lane] += 1;
            let cache = expected_cache(policy, &tokens[ranges[lane].clone()], index);
            assert_eq!([row.logit(0) as f32, row.logit(1) as f32], digest(&cache));
            assert_eq!(row.len(), VOCAB_SIZE);
        }
        Ok(())
    })
    .unwrap();
    assert!(ranges.iter().zip(&next).all(|(range, &rows)| range.len() == rows));
    assert!(source.passes.iter().all(|&(lanes, _)| lanes <= max_batch));
    assert!(
        source
            .passes
            .iter()
            .all(|&(_, length)| length <= plan.chunk.max(policy.overlap))
    );

    let mut source = Witness {
        max_batch,
        ..Witness::default()
    };
    let found = decode_in_lockstep(&mut source, policy, count, plan.lanes, |rows| {
        let find = |&PlacedRow { lane, index, row }: &PlacedRow<'_>| {
            let lane = &tokens[ranges[lane].clone()];
            let cache = expected_cache(policy, lane, index);
            assert_eq!([row.logit(0) as f32, row.logit(1) as f32], digest(&cache));
            lane[index]
        };
        Ok(rows.iter().map(find).collect())
    })
    .unwrap();
    assert_eq!(found, tokens);
}

#[test]
fn every_row_sees_the_context_that_the_policy_says() {
    for (window, overlap) in [(2, 0), (2, 1), (5, 0), (5, 2), (8, 7), (16, 4), (1000, 3)] {
        let policy = ContextPolicy {
            start_token: 3,
            window,
            overlap,
        };
        for count in [0, 1, 2, 7, 16, 33, 50] {
            for lanes in [1, 2, 3, 7, 256] {
                for chunk in [1, 4, 100] {
                    for max_batch in [usize::MAX, 1, 2] {
                        check(policy, Plan::new(lanes, chunk), count, max_batch);
                    }
                }
            }
        }
    }
}

#[test]
fn a_batch_is_fed_in_as_few_passes_as_the_limits_allow() {
    let policy = ContextPolicy {
        start_token: 0,
        window: 8,
        overlap: 2,
    };
    let mut source = Witness {
        max_batch: usize::MAX,
        ..Witness::default()
    };
    let plan = Plan::new(3, 5);
    rows_of_known_tokens(&mut source, policy, plan, &tokens(32), |_| Ok(())).unwrap();
    // Lanes of 11, 11 and 10: two chunks fill window 0, a warm-up of 2 opens window 1, the longer lanes end alone.
    assert_eq!(source.passes, [(3, 5), (3, 3), (3, 2), (3, 2), (2, 1)]);

    // Two at once: the third lane follows by itself.
    let mut source = Witness {
        max_batch: 2,
        ..Witness::default()
    };
    rows_of_known_tokens(&mut source, policy, plan, &tokens(32), |_| Ok(())).unwrap();
    let expected = [(2, 5), (2, 3), (2, 2), (2, 3), (1, 5), (1, 3), (1, 2), (1, 2)];
    assert_eq!(source.passes, expected);
}

#[test]
fn a_warm_up_of_many_lanes_takes_several_passes() {
    let policy = ContextPolicy {
        start_token: 0,
        window: 8,
        overlap: 5,
    };
    for (lanes, warm_up) in [(51, vec![5]), (52, vec![1; 5]), (256, vec![1; 5])] {
        let mut source = Witness {
            max_batch: usize::MAX,
            ..Witness::default()
        };
        let plan = Plan::new(lanes, 8);
        rows_of_known_tokens(&mut source, policy, plan, &tokens(9 * lanes), |_| Ok(())).unwrap();
        let lengths = [vec![8], warm_up, vec![1]].concat();
        let expected: Vec<(usize, usize)> = lengths.into_iter().map(|length| (lanes, length)).collect();
        assert_eq!(source.passes, expected);
    }
    let policy = ContextPolicy {
        window: 600,
        overlap: 520,
        ..policy
    };
    let mut source = Witness {
        max_batch: 1,
        ..Witness::default()
    };
    rows_of_known_tokens(&mut source, policy, Plan::new(1, 600), &tokens(601), |_| Ok(())).unwrap();
    assert_eq!(source.passes, [(1, 600), (1, 256), (1, 256), (1, 8), (1, 1)]);
}

#[test]
fn what_is_no_policy_or_no_token_is_refused() {
    let good = ContextPolicy {
        start_token: 0,
        window: 8,
        overlap: 2,
    };
    let bad = [
        (
            ContextPolicy {
                window: 1,
                overlap: 0,
                ..good
            },
            ErrorCode::Usage,
        ),
        (
            ContextPolicy {
                window: MAX_WINDOW + 1,
                ..good
            },
            ErrorCode::Usage,
        ),
        (ContextPolicy { overlap: 8, ..good }, ErrorCode::Usage),
        (
            ContextPolicy {
                start_token: 50,
                ..good
            },
            ErrorCode::Usage,
        ),
    ];
    for (policy, code) in bad {
        let error = decode_in_lockstep(&mut Witness::default(), policy, 1, 1, |_| Ok(vec![0])).unwrap_err();
        assert_eq!(error.code, code);
    }
    let plan = Plan::new(1, 1);
    let error = rows_of_known_tokens(&mut Witness::default(), good, plan, &[50], |_| Ok(())).unwrap_err();
    assert_eq!(error.code, ErrorCode::Vocabulary);
    let error = decode_in_lockstep(&mut Witness::default(), good, 2, 1, |rows| Ok(vec![50; rows.len()])).unwrap_err();
    assert_eq!(error.code, ErrorCode::Vocabulary);
    for found in [vec![], vec![1, 2]] {
        let error = decode_in_lockstep(&mut Witness::default(), good, 2, 1, |_| Ok(found.clone())).unwrap_err();
        assert_eq!(error.code, ErrorCode::Internal);
    }
}

#[test]
fn an_error_of_the_consumer_ends_the_run() {
    let policy = ContextPolicy {
        start_token: 0,
        window: 8,
        overlap: 2,
    };
    let stop = || Error::new(ErrorCode::Interrupted, "stop");
    let plan = Plan::new(2, 3);
    let result = rows_of_known_tokens(&mut Witness::default(), policy, plan, &tokens(9), |_| Err(stop()));
    assert_eq!(result, Err(stop()));
}

#[test]
fn no_more_lanes_are_fed_at_once_than_have_a_small_cache() {
    let policy = ContextPolicy {
        start_token: 0,
        window: 8,
        overlap: 2,
    };
    // Bytes for an input, tokens of nine lanes, and the lanes of each pass that opens a group.
    for (cache_bytes, length, expected) in [
        (0, 4, vec![9]),
        (5 << 20, 4, vec![9]),
        (12 << 20, 4, vec![4, 4, 1]),
        ((12 << 20) + 1, 4, vec![3, 3, 3]),
        (12 << 20, 8, vec![2, 2, 2, 2, 1]),
        (12 << 20, 40, vec![2, 2, 2, 2, 1]),
        (usize::MAX, 2, vec![1; 9]),
    ] {
        let mut source = Witness {
            max_batch: usize::MAX,
            cache_bytes,
            ..Witness::default()
        };
        let mut known = Vec::new();
        let text = tokens(9 * length);
        rows_of_known_tokens(&mut source, policy, Plan::new(9, 1), &text, |rows| {
            known.extend((rows[0].index == 0).then_some(rows.len()));
            Ok(())
        })
        .unwrap();
        assert_eq!(known, expected, "{cache_bytes} bytes, {length} tokens");
        let mut decoded = Vec::new();
        let found = decode_in_lockstep(&mut source, policy, text.len(), 9, |rows| {
            decoded.extend((rows[0].index == 0).then_some(rows.len()));
            Ok(rows.iter().map(|row| text[row.lane * length + row.index]).collect())
        })
        .unwrap();
        assert_eq!((decoded, found), (expected, text));
    }
}
