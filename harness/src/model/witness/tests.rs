use super::lowering::lower;
use super::*;
use crate::model::loaded::{Engine, LoadOptions, LoadedModel};
use crate::model::testing::{graphs, tiny, tiny_options};

/// Logits of `ids` in one lane, fed in passes of `chunk`, as bits.
fn bits(model: &mut LoadedModel, ids: &[u32], lanes: usize, chunk: usize) -> Vec<u32> {
    let session = model.session.as_mut();
    session.reset(lanes).unwrap();
    let length = ids.len() / lanes;
    let mut rows = vec![Vec::new(); lanes];
    for start in (0..length).step_by(chunk) {
        let end = length.min(start + chunk);
        let part: Vec<u32> = (0..lanes)
            .flat_map(|lane| ids[lane * length + start..lane * length + end].to_vec())
            .collect();
        let vocab_size = session.vocab_size();
        let Logits::F32(logits) = session.feed(&part, end - start).unwrap() else {
            panic!("32-bit logits were expected")
        };
        for (lane, logits) in logits.chunks_exact((end - start) * vocab_size).enumerate() {
            rows[lane].extend(logits.iter().map(|logit| logit.to_bits()));
        }
    }
    rows.concat()
}

fn witness(threads: u32) -> Option<LoadedModel> {
    let options = tiny_options("exact")?;
    let session = SessionOptions {
        threads,
        ..SessionOptions::default()
    };
    Some(
        LoadedModel::load(&LoadOptions {
            engine: Engine::Rten,
            session,
            ..options
        })
        .unwrap(),
    )
}

#[test]
fn another_engine_gives_the_same_bits_in_every_plan() {
    let (Some(mut ort), Some(mut rten)) = (tiny("exact"), witness(1)) else {
        return;
    };
    let ids: Vec<u32> = (0..96).map(|i| (i * 37 + 11) % 1536).collect();
    let expected = bits(&mut ort, &ids, 1, 96);
    for chunk in [1, 7, 96] {
        assert_eq!(bits(&mut rten, &ids, 1, chunk), expected, "chunk {chunk}");
    }
    let lanes = bits(&mut ort, &ids, 4, 24);
    assert_eq!(bits(&mut rten, &ids, 4, 1), lanes);
    assert_eq!(bits(&mut witness(2).unwrap(), &ids, 4, 5), lanes);
}

#[test]
fn lanes_that_are_kept_go_on_as_they_were() {
    let Some(mut rten) = witness(1) else { return };
    let session = rten.session.as_mut();
    session.reset(3).unwrap();
    session.feed(&[1, 2, 3, 4, 5, 6], 2).unwrap();
    session.keep_lanes(2).unwrap();
    let Logits::F32(kept) = session.feed(&[7, 8], 1).unwrap() else {
        panic!("32-bit logits were expected")
    };
    let kept = kept.to_vec();
    session.reset(2).unwrap();
    session.feed(&[1, 2, 3, 4], 2).unwrap();
    let Logits::F32(alone) = session.feed(&[7, 8], 1).unwrap() else {
        panic!("32-bit logits were expected")
    };
    assert_eq!(kept, alone);
    assert_eq!(session.keep_lanes(3).unwrap_err().code, ErrorCode::Internal);
    assert_eq!(session.feed(&[0], 1).unwrap_err().code, ErrorCode::Internal);
    assert_eq!(session.feed(&[0, 1536], 1).unwrap_err().code, ErrorCode::Usage);
}

#[test]
fn a_graph_that_is_not_exact_is_not_run() {
    let Some(options) = tiny_options("q4") else { return };
    let error = LoadedModel::load(&LoadOptions {
        engine: Engine::Rten,
        ..options
    })
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
    assert!(
        error.message.contains("the graph does not say that it is exact"),
        "{error}"
    );
}

#[test]
fn lowering_leaves_other_graphs_as_they_are_and_refuses_damage() {
    let floats = graphs::onnx(&graphs::Declarations::default());
    assert_eq!(lower(&floats).unwrap(), floats);
    let integers = graphs::onnx(&graphs::Declarations {
        cache: "uint8",
        ..graphs::Declarations::default()
    });
    let lowered = lower(&integers).unwrap();
    let count = |bytes: &[u8], op: &str| GraphFacts::parse(bytes).unwrap().ops.get(op).copied().unwrap_or(0);
    assert_eq!(count(&lowered, "Concat"), count(&integers, "Concat"));
    assert_eq!(count(&lowered, "Cast"), count(&integers, "Cast") + 3);
    // What is lowered already has nothing left to lower.
    assert_eq!(lower(&lowered).unwrap(), lowered);
    for end in 1..integers.len() {
        // Cut at the end of a field it is another graph, elsewhere an error; never a panic.
        let _ = lower(&integers[..end]);
    }
    assert!(lower(&integers[..integers.len() / 2]).is_err());
}
