//! The driver follows what a graph declares, whatever that is: each form against logits computed by hand.

use super::*;
use crate::model::signature::Batch;
use crate::model::testing::graphs::{Declarations, VOCAB_SIZE, expected_row, onnx};
use crate::model::testing::{runtime, values};

const CONFIG: &[u8] = br#"{"vocab_size": 7, "hidden_size": 18, "num_attention_heads": 6, "num_key_value_heads": 2}"#;

/// A session with a graph of these declarations, or none, with the reason on stderr, when there is no runtime.
fn load(declarations: &Declarations) -> Option<Result<OrtSession>> {
    load_with(declarations, None)
}

fn load_with(declarations: &Declarations, batch: Option<usize>) -> Option<Result<OrtSession>> {
    let config = ModelConfig::parse(CONFIG).unwrap();
    let options = SessionOptions {
        batch,
        ..SessionOptions::default()
    };
    Some(OrtSession::load(
        runtime()?,
        &ModelFiles::of_one_file(onnx(declarations)),
        &config,
        &options,
    ))
}

#[test]
fn a_batch_beyond_the_policy_is_refused_with_its_reason() {
    let one = Declarations {
        batch: "1",
        ..Declarations::default()
    };
    let Some(refused) = load_with(&one, Some(2)) else {
        return;
    };
    let error = refused.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
    let reason = "not a batch of 2: the batch dimension of input_ids is fixed at 1";
    assert!(error.message.ends_with(reason), "{error}");
    assert_eq!(load_with(&one, Some(1)).unwrap().unwrap().max_batch(), 1);
    let many = Declarations::default();
    assert_eq!(load_with(&many, Some(2)).unwrap().unwrap().max_batch(), 2);
}

/// Feeds lanes of known ids in chunks; lanes leave from the end as they run out. Every row is held to what it must be.
fn check_rows(session: &mut OrtSession, declarations: &Declarations, lanes: &[&[u32]], chunk: usize) {
    session.reset(lanes.len()).unwrap();
    let mut index = 0;
    loop {
        let batch = lanes.iter().take_while(|lane| lane.len() > index).count();
        if batch == 0 {
            break;
        }
        session.keep_lanes(batch).unwrap();
        let length = chunk.min(lanes[batch - 1].len() - index);
        let ids = lanes[..batch]
            .iter()
            .flat_map(|lane| &lane[index..index + length])
            .copied()
            .collect::<Vec<_>>();
        let rows = values(session.feed(&ids, length).unwrap());
        let rows = rows.chunks(VOCAB_SIZE).collect::<Vec<_>>();
        assert_eq!(rows.len(), batch * length);
        for lane in 0..batch {
            for i in 0..length {
                let expected = expected_row(declarations, &lanes[lane][..=index + i]);
                assert_eq!(
                    rows[lane * length + i],
                    expected,
                    "{declarations:?}, lane {lane}, id {}",
                    index + i
                );
            }
        }
        index += length;
    }
}

#[test]
fn every_declaration_is_followed() {
    let lane = [3, 1, 4, 1, 5, 2, 6, 5, 3];
    let lanes: [&[u32]; 3] = [&lane, &lane[1..7], &lane[2..6]];
    let check = |declarations: Declarations, batch: Batch| {
        let Some(session) = load(&declarations) else { return };
        let mut session = session.unwrap();
        assert_eq!(session.signature().batch_policy.batch, batch, "{declarations:?}");
        for chunk in [1, 2, 100] {
            check_rows(&mut session, &declarations, &[&lane], chunk);
            if batch == Batch::Dynamic {
                check_rows(&mut session, &declarations, &lanes, chunk);
            }
        }
        if batch == Batch::Static {
            let error = session.reset(2).unwrap_err();
            assert_eq!(error.code, ErrorCode::Unsupported);
            assert!(
                error.message.contains(&session.signature().batch_policy.reason),
                "{error}"
            );
        }
    };
    let all = Declarations::default;
    check(all(), Batch::Dynamic);
    for cache in ["float16", "uint8", "int8", "int32"] {
        check(Declarations { cache, ..all() }, Batch::Dynamic);
    }
    check(
        Declarations {
            logits: "float16",
            ..all()
        },
        Batch::Dynamic,
    );
    check(
        Declarations {
            index: "int32",
            ..all()
        },
        Batch::Dynamic,
    );
    check(
        Declarations {
            mask: false,
            positions: false,
            ..all()
        },
        Batch::Dynamic,
    );
    check(Declarations { mask: false, ..all() }, Batch::Dynamic);
    check(
        Declarations {
            positions: false,
            ..all()
        },
        Batch::Dynamic,
    );
    check(
        Declarations {
            head_dim: "kv_cache_dim",
            ..all()
        },
        Batch::Dynamic,
    );
    check(
        Declarations {
            heads: "heads",
            head_dim: "head_dim",
            past: "past",
            ..all()
        },
        Batch::Dynamic,
    );
    check(
        Declarations {
            heads: "",
            head_dim: "",
            past: "",
            ..all()
        },
        Batch::Dynamic,
    );
    check(Declarations { past_axis: 3, ..all() }, Batch::Dynamic);
    check(
        Declarations {
            past_axis: 3,
            head_dim: "head_dim",
            ..all()
        },
        Batch::Dynamic,
    );
    check(
        Declarations {
            vocabulary: "vocabulary",
            ..all()
        },
        Batch::Dynamic,
    );
    check(
        Declarations {
            batch: "",
            output_batch: "",
            length: "",
            ..all()
        },
        Batch::Dynamic,
    );
    check(
        Declarations {
            output_batch: "1",
            ..all()
        },
        Batch::Static,
    );
    check(
        Declarations {
            batch: "1",
            output_batch: "1",
            ..all()
        },
        Batch::Static,
    );
    check(
        Declarations {
            batch: "1",
            output_batch: "1",
            length: "1",
            ..all()
        },
        Batch::Static,
    );
    check(Declarations { length: "1", ..all() }, Batch::Dynamic);
}

#[test]
fn what_cannot_be_driven_is_refused() {
    let check = |declarations: Declarations, code: ErrorCode, part: &str| {
        let Some(session) = load(&declarations) else { return };
        let error = session.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(part) && !error.hint.is_empty(), "{error}");
    };
    let all = Declarations::default;
    check(
        Declarations {
            stranger: true,
            ..all()
        },
        ErrorCode::Model,
        "use_cache_branch",
    );
    check(
        Declarations {
            batch: "2",
            output_batch: "2",
            ..all()
        },
        ErrorCode::Model,
        "2 lanes",
    );
    check(
        Declarations { past: "4", ..all() },
        ErrorCode::Model,
        "past_key_values.0.key",
    );
    check(
        Declarations {
            cache: "int64",
            ..all()
        },
        ErrorCode::Model,
        "int64",
    );
}

#[test]
fn a_graph_that_takes_one_id_at_a_time_is_fed_so() {
    let declarations = Declarations {
        length: "1",
        ..Declarations::default()
    };
    let Some(session) = load(&declarations) else { return };
    check_rows(&mut session.unwrap(), &declarations, &[&[3, 1, 4, 1], &[5, 2, 6, 5]], 4);
}

#[test]
fn a_graph_of_another_fixed_length_is_refused() {
    for length in ["0", "2"] {
        let declarations = Declarations {
            length,
            ..Declarations::default()
        };
        let Some(session) = load(&declarations) else { return };
        let error = session.unwrap_err();
        assert_eq!(error.code, ErrorCode::Model);
        let expected = format!("the graph cannot be driven: the sequence dimension of input_ids is fixed at {length}");
        assert_eq!(error.message, expected);
    }
}

#[test]
fn another_vocabulary_is_refused_even_where_the_graph_leaves_it_open() {
    for vocabulary in ["7", "vocabulary"] {
        let declarations = Declarations {
            vocabulary,
            ..Declarations::default()
        };
        let Some(runtime) = runtime() else { return };
        let config = ModelConfig::parse(br#"{"vocab_size": 8}"#).unwrap();
        let session = OrtSession::load(
            runtime,
            &ModelFiles::of_one_file(onnx(&declarations)),
            &config,
            &SessionOptions::default(),
        );
        let error = session
            .and_then(|mut session| session.feed(&[1], 1).map(drop))
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::Vocabulary);
    }
}

#[test]
fn a_graph_is_exact_as_its_file_says() {
    let check = |exact: Option<&'static str>, expected: bool, reason: &str| {
        let declarations = Declarations {
            exact,
            ..Declarations::default()
        };
        let Some(session) = load(&declarations) else { return };
        let session = session.unwrap();
        let found = session.exactness();
        assert_eq!((found.exact, found.reason.as_str()), (expected, reason));
        assert_eq!(session.view().unwrap().exactness, found);
    };
    check(
        Some("1"),
        true,
        "the graph says so (llmzip.exact 1) and has only exact ops",
    );
    check(None, false, "the graph does not say that it is exact");
    check(
        Some("2"),
        false,
        "the graph follows version 2 of the rules, which this runner does not know",
    );
}
