//! Tests of how the writer feeds a model.

use super::*;

/// A model that notes how it is fed, and that is exact or not.
struct Noting {
    model: SyntheticModel,
    exact: bool,
    plan_tolerance: Option<f64>,
    /// Lanes and length of each pass.
    passes: Vec<(usize, usize)>,
}

impl Noting {
    fn new(exact: bool) -> Self {
        Self {
            model: SyntheticModel::new(),
            exact,
            plan_tolerance: exact.then_some(0.0),
            passes: Vec::new(),
        }
    }

    /// One whose log-probs may differ between plans by at most so many nats.
    fn within(plan_tolerance: Option<f64>) -> Self {
        Self {
            plan_tolerance,
            ..Self::new(false)
        }
    }
}

impl LogitsSource for Noting {
    fn vocab_size(&self) -> usize {
        self.model.vocab_size()
    }

    fn logits_type(&self) -> LogitsType {
        self.model.logits_type()
    }

    fn max_batch(&self) -> usize {
        usize::MAX
    }

    fn exactness(&self) -> Exactness {
        if self.exact {
            self.model.exactness()
        } else {
            Exactness::no("it was made so".to_owned())
        }
    }

    fn plan_tolerance(&self) -> Option<f64> {
        self.plan_tolerance
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        self.model.reset(batch)
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        self.model.keep_lanes(batch)
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        self.passes.push((ids.len() / length, length));
        self.model.feed(ids, length)
    }
}

#[test]
fn known_tokens_go_in_chunks_where_the_logits_are_exact_and_one_by_one_elsewhere() {
    let plain = PROSE.repeat(40);
    for lanes in [1, 4, 200] {
        let longest_lane = plain.len().div_ceil(lanes);
        let options = CompressOptions {
            lanes: Lanes::Fixed(lanes),
            eps: "1e-5".parse().unwrap(),
            context: ContextPolicy {
                window: 4096,
                ..options().context
            },
            ..options()
        };
        let containers = [(true, longest_lane.min(256), 1), (false, 1, lanes)].map(|(exact, longest, most)| {
            let mut source = Noting::new(exact);
            let (container, _) = compress_with(&mut source, plain.as_bytes(), &options).unwrap();
            assert_eq!(
                source.passes.iter().map(|pass| pass.1).max(),
                Some(longest),
                "{lanes} lanes"
            );
            assert_eq!(source.passes.iter().map(|pass| pass.0).max(), Some(most));
            let fed: usize = source.passes.iter().map(|(batch, length)| batch * length).sum();
            assert_eq!(fed, plain.len());
            source.passes.clear();
            let (decoded, result) = decompress_with(&mut source, &container);
            result.unwrap();
            assert!(decoded == plain.as_bytes());
            assert!(source.passes.iter().all(|pass| pass.1 == 1), "a reader has no choice");
            container
        });
        assert!(containers[0] == containers[1], "{lanes} lanes");
    }
}

#[test]
fn known_tokens_go_in_chunks_where_eps_covers_what_a_plan_may_change() {
    let check = |tolerance: Option<f64>, eps: &str, longest: usize| {
        let options = CompressOptions {
            eps: eps.parse().unwrap(),
            context: ContextPolicy {
                window: 4096,
                ..options().context
            },
            ..options()
        };
        let mut source = Noting::within(tolerance);
        let plain = PROSE.repeat(4);
        let (container, _) = compress_with(&mut source, plain.as_bytes(), &options).unwrap();
        let found = source.passes.iter().map(|pass| pass.1).max();
        assert_eq!(found, Some(longest), "{tolerance:?}, eps {eps}");
        let (decoded, result) = decompress_with(&mut source, &container);
        result.unwrap();
        assert!(decoded == plain.as_bytes());
    };
    check(Some(2e-4), "2e-4", 228);
    check(Some(2e-4), "1e-2", 228);
    check(Some(2e-4), "1e-4", 1);
    check(None, "1e-1", 1);
}

#[test]
fn eps_0_is_for_exact_logits_alone() {
    let refuse = |error: Error| {
        assert_eq!(error.code, ErrorCode::Unsupported);
        assert_eq!(
            error.message,
            "eps 0 relies on logits that are the same bits everywhere, but it was made so"
        );
        assert_eq!(error.hint, "use the model's variant exact, or an eps above 0");
    };
    let (exact, other) = (&mut Noting::new(true), &mut Noting::new(false));
    let mut output = Vec::new();
    let written = compress(
        PROSE.as_bytes(),
        &mut output,
        other,
        &ToyTokenizer,
        &options(),
        &mut |_| Ok(()),
    );
    refuse(written.unwrap_err());
    assert!(output.is_empty());
    let (container, _) = compress_with(exact, PROSE.as_bytes(), &options()).unwrap();
    let (decoded, read) = decompress_with(other, &container);
    refuse(read.unwrap_err());
    assert!(decoded.is_empty() && other.passes.is_empty());
    decompress_with(exact, &container).1.unwrap();
}
