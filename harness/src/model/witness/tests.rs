use super::*;
use crate::model::loaded::{Engine, LoadOptions, LoadedModel};
use crate::model::testing::graphs::{Declarations as Declared, VOCAB_SIZE, expected_row, onnx};
use crate::model::testing::{tiny, tiny_options, values};

/// An exact graph whose cache is uint8.
fn exact() -> Declared {
    Declared {
        cache: "uint8",
        exact: Some("1"),
        ..Declared::default()
    }
}

fn load(declared: &Declared, options: &SessionOptions) -> Result<RtenSession> {
    let config =
        br#"{"vocab_size": 7, "num_key_value_heads": 2, "head_dim": 3, "hidden_size": 6, "num_attention_heads": 2}"#;
    RtenSession::load(
        &ModelFiles::of_one_file(onnx(declared)),
        &ModelConfig::parse(config).unwrap(),
        options,
    )
}

/// Every lane gets `ids`, moved on by its number.
fn of_lane(ids: &[u32], lane: usize) -> Vec<u32> {
    ids.iter().map(|&id| (id + lane as u32) % VOCAB_SIZE as u32).collect()
}

/// Feeds lanes in chunks and holds every row to the one that follows from the ids.
fn check(declared: &Declared, options: &SessionOptions, lanes: usize, chunk: usize) {
    let mut session = load(declared, options).unwrap();
    let ids = [3, 1, 4, 1, 5, 2, 6, 5, 3, 0];
    session.reset(lanes).unwrap();
    for (index, part) in ids.chunks(chunk).enumerate() {
        let fed: Vec<u32> = (0..lanes).flat_map(|lane| of_lane(part, lane)).collect();
        let rows = values(session.feed(&fed, part.len()).unwrap());
        for lane in 0..lanes {
            for place in 0..part.len() {
                let row = lane * part.len() + place;
                let seen = of_lane(&ids[..=index * chunk + place], lane);
                assert_eq!(
                    rows[row * VOCAB_SIZE..][..VOCAB_SIZE],
                    expected_row(declared, &seen),
                    "{declared:?}, lane {lane}, {seen:?}"
                );
            }
        }
    }
}

#[test]
fn rows_are_those_of_the_graph_in_every_form_of_cache() {
    for cache in ["uint8", "int8", "float32", "int32"] {
        for past_axis in [2, 3] {
            let declared = Declared {
                cache,
                past_axis,
                ..exact()
            };
            for (lanes, chunk) in [(1, 10), (1, 1), (3, 1), (3, 4)] {
                check(&declared, &SessionOptions::default(), lanes, chunk);
            }
        }
    }
}

#[test]
fn neither_threads_nor_optimisation_change_a_bit() {
    for graph_optimization in [GraphOptimization::Disabled, GraphOptimization::All] {
        for threads in [1, 2] {
            let options = SessionOptions {
                threads,
                graph_optimization,
                ..SessionOptions::default()
            };
            check(&exact(), &options, 2, 3);
        }
    }
}

#[test]
fn inputs_that_a_graph_does_not_declare_are_not_fed() {
    for (mask, positions, index) in [(false, true, "int64"), (true, false, "int32"), (false, false, "int64")] {
        let declared = Declared {
            mask,
            positions,
            index,
            ..exact()
        };
        check(&declared, &SessionOptions::default(), 2, 4);
    }
}

#[test]
fn lanes_that_leave_do_not_disturb_the_others() {
    let mut session = load(&exact(), &SessionOptions::default()).unwrap();
    session.reset(3).unwrap();
    session.feed(&[1, 2, 3, 4, 5, 6], 2).unwrap();
    session.keep_lanes(2).unwrap();
    let rows = values(session.feed(&[0, 6], 1).unwrap());
    assert_eq!(rows[..VOCAB_SIZE], expected_row(&exact(), &[1, 2, 0]));
    assert_eq!(rows[VOCAB_SIZE..], expected_row(&exact(), &[3, 4, 6]));
    assert_eq!(session.keep_lanes(3).unwrap_err().code, ErrorCode::Internal);
    assert_eq!(session.keep_lanes(0).unwrap_err().code, ErrorCode::Internal);
    assert_eq!(session.feed(&[0], 1).unwrap_err().code, ErrorCode::Internal);
    assert_eq!(session.feed(&[0, 7], 1).unwrap_err().code, ErrorCode::Usage);
    session.reset(1).unwrap();
    assert_eq!(values(session.feed(&[5], 1).unwrap()), expected_row(&exact(), &[5]));
}

#[test]
fn graphs_that_it_is_not_for_are_refused_with_the_reason() {
    let check = |declared: Declared, options: SessionOptions, code: ErrorCode, reason: &str| {
        let error = load(&declared, &options).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(reason), "{error}");
        assert!(!error.hint.is_empty());
    };
    let usual = SessionOptions::default;
    let unsupported = ErrorCode::Unsupported;
    let silent = Declared { exact: None, ..exact() };
    check(silent, usual(), unsupported, "the graph does not say that it is exact");
    let newer = Declared {
        exact: Some("2"),
        ..exact()
    };
    check(newer, usual(), unsupported, "version 2 of the rules");
    let fixed = Declared { length: "1", ..exact() };
    check(fixed, usual(), unsupported, "symbolic sequence length");
    let half = Declared {
        logits: "float16",
        ..exact()
    };
    check(half, usual(), unsupported, "float32 logits");
    let cuda = SessionOptions {
        provider: "cuda".to_owned(),
        ..usual()
    };
    check(exact(), cuda, unsupported, "cuda");
    let wide = Declared {
        vocabulary: "8",
        ..exact()
    };
    check(wide, usual(), ErrorCode::Vocabulary, "");
    let half_cache = Declared {
        cache: "float16",
        ..exact()
    };
    check(half_cache, usual(), ErrorCode::Model, "float16");
    let strange = Declared {
        stranger: true,
        ..exact()
    };
    check(strange, usual(), ErrorCode::Model, "use_cache_branch");
}

#[test]
fn one_lane_at_a_time_where_the_graph_says_so() {
    let declared = Declared { batch: "1", ..exact() };
    let mut session = load(&declared, &SessionOptions::default()).unwrap();
    assert_eq!(session.max_batch(), 1);
    assert_eq!(session.reset(2).unwrap_err().code, ErrorCode::Unsupported);
    check(&declared, &SessionOptions::default(), 1, 3);
}

/// The embedded model in rten.
fn tiny_in_rten(session: SessionOptions) -> Option<LoadedModel> {
    let options = LoadOptions {
        engine: Engine::Rten,
        session,
        ..tiny_options("exact")?
    };
    Some(LoadedModel::load(&options).unwrap())
}

/// The bits of the logits of lanes that are fed alike in both engines.
fn bits(model: &mut LoadedModel, lanes: usize, chunk: usize) -> Vec<u32> {
    let session = model.session.as_mut();
    session.reset(lanes).unwrap();
    let vocab_size = session.vocab_size() as u32;
    let mut bits = Vec::new();
    for start in (0..48).step_by(chunk) {
        let ids = (0..lanes as u32).flat_map(|lane| {
            (start..48.min(start + chunk)).map(move |place| (37 * place as u32 + 11 + 5 * lane) % vocab_size)
        });
        let ids: Vec<u32> = ids.collect();
        let length = ids.len() / lanes;
        bits.extend(
            values(session.feed(&ids, length).unwrap())
                .iter()
                .map(|logit| logit.to_bits()),
        );
    }
    bits
}

#[test]
fn the_embedded_model_has_the_bits_of_onnx_runtime_in_every_plan() {
    let Some(mut reference) = tiny("exact") else { return };
    let unoptimised = SessionOptions {
        threads: 2,
        graph_optimization: GraphOptimization::Disabled,
        ..SessionOptions::default()
    };
    for options in [SessionOptions::default(), unoptimised] {
        let mut witness = tiny_in_rten(options).unwrap();
        for (lanes, chunk) in [(1, 48), (1, 7), (1, 1), (4, 48), (4, 1)] {
            let (expected, found) = (bits(&mut reference, lanes, chunk), bits(&mut witness, lanes, chunk));
            assert!(expected == found, "{lanes} lanes in chunks of {chunk}");
        }
        assert_eq!(
            witness.session.view().unwrap(),
            reference.session.view().unwrap(),
            "both read the same declarations"
        );
        assert_eq!(witness.fingerprint.runtime.as_deref(), Some("rten"));
        assert_eq!(witness.fingerprint.runtime_version.as_deref(), Some("0.27.0"));
    }
}
