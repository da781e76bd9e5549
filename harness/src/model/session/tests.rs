use std::path::Path;

use super::*;
use crate::model::loaded::{Engine, LoadOptions, LoadedModel};
use crate::model::provenance::Hash;
use crate::model::provider::tests::IDLE;
use crate::model::signature::Batch;
use crate::model::source::TextTokenizer;
use crate::model::testing::{repository, runtime, tiny, tiny_options, tiny_with, values};

const VARIANTS: [&str; 2] = ["q4f16", "q4"];

/// The variants with the largest difference of a log-prob that another plan may make: a row computed alone takes another kernel
/// than a row among others. These are the limits of the class `other-plan`.
const LIMITS: [(&str, f64); 2] = [("q4f16", 1e-1), ("q4", 2e-4)];

/// Ids of a text that the model knows something of.
fn ids(model: &LoadedModel, count: usize) -> Vec<u32> {
    let text = (1..1000).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
    let mut ids = vec![0];
    ids.extend(model.tokenizer.encode(&text).unwrap());
    ids.truncate(count);
    ids
}

/// Feeds the same ids to every lane, `chunk` at a time; gives `[ids, vocab_size]` of the lane asked for.
fn rows(session: &mut dyn GraphSession, ids: &[u32], chunk: usize, lanes: usize, lane: usize) -> Vec<f32> {
    session.reset(lanes).unwrap();
    let mut rows = Vec::new();
    for chunk in ids.chunks(chunk) {
        let logits = values(session.feed(&chunk.repeat(lanes), chunk.len()).unwrap());
        let size = chunk.len() * session.vocab_size();
        rows.extend_from_slice(&logits[lane * size..][..size]);
    }
    rows
}

fn bits(rows: &[f32]) -> Vec<u32> {
    rows.iter().map(|value| value.to_bits()).collect()
}

/// The largest difference of a log-prob.
fn distance(a: &[f32], b: &[f32], vocab_size: usize) -> f64 {
    let log_probs = |row: &[f32]| {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum = row.iter().map(|&l| f64::from(l - max).exp()).sum::<f64>().ln();
        row.iter().map(|&l| f64::from(l - max) - sum).collect::<Vec<_>>()
    };
    let rows = a.chunks_exact(vocab_size).zip(b.chunks_exact(vocab_size));
    rows.flat_map(|(a, b)| log_probs(a).into_iter().zip(log_probs(b)))
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

#[test]
fn prefill_in_chunks_gives_the_bits_of_one_pass() {
    for variant in VARIANTS {
        let Some(mut model) = tiny(variant) else { return };
        let ids = ids(&model, 256);
        let whole = rows(model.session.as_mut(), &ids, 256, 1, 0);
        for chunk in [128, 64] {
            let chunks = rows(model.session.as_mut(), &ids, chunk, 1, 0);
            assert!(bits(&whole) == bits(&chunks), "{variant} in chunks of {chunk}");
        }
    }
}

#[test]
fn token_by_token_stays_near_one_pass() {
    for (variant, limit) in LIMITS {
        let Some(mut model) = tiny(variant) else { return };
        let ids = ids(&model, 256);
        let whole = rows(model.session.as_mut(), &ids, 256, 1, 0);
        let steps = rows(model.session.as_mut(), &ids, 1, 1, 0);
        let distance = distance(&whole, &steps, model.session.vocab_size());
        assert!(distance <= limit, "{variant}: {distance:e}");
    }
}

#[test]
fn a_second_run_after_reset_gives_the_same_bits() {
    for variant in VARIANTS {
        let Some(mut model) = tiny(variant) else { return };
        let ids = ids(&model, 40);
        let first = rows(model.session.as_mut(), &ids, 1, 1, 0);
        let second = rows(model.session.as_mut(), &ids, 1, 1, 0);
        assert!(bits(&first) == bits(&second), "{variant}");
    }
}

#[test]
fn threads_do_not_change_bits() {
    for variant in VARIANTS {
        let Some(mut one) = tiny(variant) else { return };
        let two = tiny_with(
            variant,
            SessionOptions {
                threads: 2,
                ..SessionOptions::default()
            },
        );
        let mut two = two.unwrap();
        let ids = ids(&one, 64);
        let (a, b) = (
            rows(one.session.as_mut(), &ids, 32, 1, 0),
            rows(two.session.as_mut(), &ids, 32, 1, 0),
        );
        assert!(bits(&a) == bits(&b), "{variant}");
    }
}

#[test]
fn lanes_of_a_batch_agree_and_stay_apart() {
    for (variant, limit) in LIMITS {
        let Some(mut model) = tiny(variant) else { return };
        let ids = ids(&model, 24);
        let alone = rows(model.session.as_mut(), &ids, 1, 1, 0);
        for lane in 0..3 {
            let batched = rows(model.session.as_mut(), &ids, 1, 3, lane);
            let distance = distance(&alone, &batched, model.session.vocab_size());
            assert!(distance <= limit, "{variant}, lane {lane}: {distance:e}");
        }
        // Another lane's ids must not matter to the bits of this one.
        model.session.reset(2).unwrap();
        let first = values(model.session.feed(&[ids[0], 5], 1).unwrap());
        model.session.reset(2).unwrap();
        let second = values(model.session.feed(&[ids[0], 9], 1).unwrap());
        let vocab_size = model.session.vocab_size();
        assert!(bits(&first[..vocab_size]) == bits(&second[..vocab_size]));
        assert!(bits(&first[vocab_size..]) != bits(&second[vocab_size..]));
    }
}

#[test]
fn lanes_that_leave_do_not_disturb_the_others() {
    for (variant, limit) in LIMITS {
        let Some(mut model) = tiny(variant) else { return };
        let ids = ids(&model, 24);
        let alone = rows(model.session.as_mut(), &ids, 1, 1, 0);
        model.session.reset(3).unwrap();
        let mut kept = Vec::new();
        for (step, &id) in ids.iter().enumerate() {
            let lanes = if step < 10 { 3 } else { 2 };
            model.session.keep_lanes(lanes).unwrap();
            let logits = values(model.session.feed(&vec![id; lanes], 1).unwrap());
            let last = (lanes - 1) * model.session.vocab_size();
            kept.extend_from_slice(&logits[last..]);
        }
        let distance = distance(&alone, &kept, model.session.vocab_size());
        assert!(distance <= limit, "{variant}: {distance:e}");
        assert_eq!(model.session.keep_lanes(3).unwrap_err().code, ErrorCode::Internal);
        assert_eq!(model.session.keep_lanes(0).unwrap_err().code, ErrorCode::Internal);
    }
}

#[test]
fn wrong_feeds_are_refused_and_leave_the_session_usable() {
    let Some(mut model) = tiny("q4") else { return };
    let ids = ids(&model, 8);
    let expected = rows(model.session.as_mut(), &ids, 8, 1, 0);
    model.session.reset(1).unwrap();
    model.session.feed(&ids[..4], 4).unwrap();
    let vocab_size = model.session.vocab_size() as u32;
    assert_eq!(model.session.feed(&[vocab_size], 1).unwrap_err().code, ErrorCode::Usage);
    assert_eq!(model.session.feed(&[], 0).unwrap_err().code, ErrorCode::Internal);
    assert_eq!(model.session.feed(&[1, 2, 3], 2).unwrap_err().code, ErrorCode::Internal);
    let rest = values(model.session.feed(&ids[4..], 4).unwrap());
    assert!(bits(&expected[4 * vocab_size as usize..]) == bits(&rest));
}

#[test]
fn the_view_is_that_of_the_file() {
    for variant in VARIANTS {
        let Some(model) = tiny(variant) else { return };
        let view = model.session.view().unwrap();
        assert_eq!(view.provider, "cpu");
        assert_eq!(view.batch_policy.batch, Batch::Dynamic);
        assert!(view.ops["com.microsoft::MatMulNBits"] > 0);
        assert!(view.opset[""] >= 14 && view.opset["com.microsoft"] == 1);
        let names = view.inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>();
        assert!(
            names.starts_with(&["input_ids"]) && names.contains(&"past_key_values.5.value"),
            "{names:?}"
        );
        let expected = serde_json::json!({
            "name": "input_ids", "type": "int64", "shape": ["batch_size", "sequence_length"]
        });
        assert_eq!(serde_json::to_value(&view.inputs[0]).unwrap(), expected);
        let cache = view
            .inputs
            .iter()
            .find(|input| input.name == "past_key_values.0.key")
            .unwrap();
        assert_eq!(cache.element, if variant == "q4" { "float32" } else { "float16" });
    }
}

#[test]
fn a_provider_that_takes_no_part_is_no_silent_cpu() {
    let Some(runtime) = runtime() else { return };
    let model = ModelFiles::of_one_file(std::fs::read(repository().join("models/tiny/onnx/model_q4.onnx")).unwrap());
    let options = SessionOptions::default();
    let open = |provider: Provider| open(runtime, &model, provider, &options).map(drop);
    open(Provider::named("cpu").unwrap()).unwrap();
    let check = |provider: Provider, message: &str| {
        let error = open(provider).unwrap_err();
        assert_eq!(error.code, ErrorCode::Unsupported);
        assert!(error.message.contains(message), "{error}");
    };
    check(IDLE, "nodes to the execution provider azure: it fell back to the CPU");
    // None of these is in the package that the tests run with, on the systems where they are run.
    for name in [
        "cuda", "tensorrt", "dml", "migraphx", "openvino", "qnn", "webgpu", "xnnpack",
    ] {
        let message = format!("the execution provider {name} is not in this build of ONNX Runtime");
        check(Provider::named(name).unwrap(), &message);
    }
}

#[test]
fn the_nodes_of_each_provider_are_counted() {
    let Some(runtime) = runtime() else { return };
    let model = std::fs::read(repository().join("models/tiny/onnx/model_q4.onnx")).unwrap();
    let mut builder = builder(runtime, &SessionOptions::default())
        .unwrap()
        .with_config_entry(RECORD_ASSIGNMENT, "1")
        .unwrap();
    let session = builder.commit_from_memory(&model).unwrap();
    let nodes = assigned_nodes(&session).unwrap();
    assert_eq!(nodes.keys().collect::<Vec<_>>(), ["CPUExecutionProvider"]);
    assert!(nodes["CPUExecutionProvider"] > 10, "{nodes:?}");
    Provider::named("cpu").unwrap().check_took_part(&nodes).unwrap();
}

#[test]
fn the_fingerprint_says_what_is_really_used() {
    let options = SessionOptions {
        threads: 2,
        graph_optimization: GraphOptimization::Basic,
        ..SessionOptions::default()
    };
    let Some(model) = tiny_with("q4", options) else { return };
    let fingerprint = serde_json::to_value(&model.fingerprint).unwrap();
    assert_eq!(fingerprint["threads"], 2);
    assert_eq!(fingerprint["graph_optimization"], "basic");
    assert_eq!(fingerprint["provider"], "cpu");
    let version = model.fingerprint.runtime_version.as_deref().unwrap();
    assert!(
        version.starts_with("1.") && version.split('.').count() == 3,
        "{version}"
    );
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let check = |code: ErrorCode, change: &dyn Fn(&mut LoadOptions, &Path)| {
        let Some(mut options) = tiny_options("q4") else { return };
        let folder = tempfile::tempdir().unwrap();
        for file in ["config.json", "tokenizer.json"] {
            std::fs::copy(options.model_dir.join(file), folder.path().join(file)).unwrap();
        }
        let model = options.model_dir.join(&options.model_file);
        std::fs::copy(model, folder.path().join("model.onnx")).unwrap();
        options.model_dir = folder.path().to_owned();
        options.config_sha256 = None;
        options.model_file = "model.onnx".to_owned();
        change(&mut options, folder.path());
        let error = LoadedModel::load(&options).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(!error.hint.is_empty(), "{error}");
    };
    let edit = |folder: &Path, file: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(from));
        std::fs::write(folder.join(file), text.replace(from, to)).unwrap();
    };
    check(ErrorCode::Integrity, &|options, _| {
        options.model_sha256 = Some(Hash([0; 32]))
    });
    check(ErrorCode::Integrity, &|options, _| {
        options.tokenizer_sha256 = Some(Hash([0; 32]))
    });
    check(ErrorCode::Integrity, &|options, _| {
        options.config_sha256 = Some(Hash([0; 32]))
    });
    check(ErrorCode::Integrity, &|_, folder| {
        edit(folder, "tokenizer.json", "{", "{ ")
    });
    check(ErrorCode::Vocabulary, &|_, folder| {
        edit(folder, "config.json", "\"vocab_size\": 1536", "\"vocab_size\": 1537")
    });
    check(ErrorCode::Vocabulary, &|_, folder| {
        edit(folder, "config.json", "\"vocab_size\": 1536", "\"vocab_size\": 100")
    });
    check(ErrorCode::Setup, &|_, folder| {
        std::fs::remove_file(folder.join("config.json")).unwrap()
    });
    check(ErrorCode::Setup, &|options, _| {
        options.model_file = "none.onnx".to_owned()
    });
    check(ErrorCode::Usage, &|options, _| options.session.threads = 0);
    check(ErrorCode::Usage, &|options, _| options.session.threads = 1025);
    check(ErrorCode::Unsupported, &|options, _| {
        options.session.provider = "cuda".to_owned()
    });
    check(ErrorCode::Unsupported, &|options, _| {
        options.session.provider = "tpu".to_owned()
    });
    check(ErrorCode::Usage, &|options, _| options.session.batch = Some(0));
    check(ErrorCode::Usage, &|options, _| options.session.batch = Some(257));
    check(ErrorCode::Setup, &|options, _| {
        options.engine = Engine::OnnxRuntime("nowhere/libonnxruntime.so".into())
    });
    check(ErrorCode::Setup, &|options, folder| {
        options.engine = Engine::OnnxRuntime(folder.join("config.json"))
    });
    check(ErrorCode::Model, &|options, folder| {
        options.model_sha256 = None;
        let path = folder.join("model.onnx");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    });
    check(ErrorCode::Model, &|options, folder| {
        options.model_sha256 = None;
        std::fs::write(folder.join("model.onnx"), b"<!DOCTYPE html>").unwrap();
    });
}

#[test]
fn an_input_takes_what_the_caches_declare_unless_a_batch_was_asked_for() {
    // Six layers of keys and values, two heads of 32 each; the exact graph has bytes and a scale of 4 for a head.
    for (variant, expected) in [("q4", 3072), ("q4f16", 1536), ("exact", 864)] {
        let Some(model) = tiny(variant) else { return };
        assert_eq!(model.session.cache_bytes(), expected, "{variant}");
        let asked = SessionOptions {
            batch: Some(4),
            ..SessionOptions::default()
        };
        assert_eq!(tiny_with(variant, asked).unwrap().session.cache_bytes(), 0);
    }
}
