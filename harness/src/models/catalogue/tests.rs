use super::*;

const MANIFEST: &str = r#"
version = 1

[[model]]
name = "small"
folder = "small"
source = "made here"
licence = "MIT"
tokenizer = "tokenizer.json"
window = 512
overlap = 128
start_token = 0

[[model.variant]]
dtype = "fp32"
file = "onnx/model.onnx"
activation = "float32"
eps = "5e-5"

[[model.variant]]
dtype = "q4f16"
file = "onnx/model_q4f16.onnx"
activation = "float16"
eps = "2e-2"

[[model.file]]
path = "tokenizer.json"
bytes = 3

[[model.file]]
path = "model.safetensors"

[[model.file]]
path = "onnx/model.onnx"

[[model.file]]
path = "onnx/model.onnx_data"
bytes = 5

[[model.file]]
path = "onnx/model_q4f16.onnx"
bytes = 1
"#;

fn on_disk() -> (tempfile::TempDir, ModelFiles) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifest.toml");
    std::fs::write(&file, MANIFEST).unwrap();
    let model = Catalogue::read(&file).unwrap().model("small").unwrap();
    (folder, model)
}

#[test]
fn a_selection_has_the_small_files_and_what_was_named() {
    let (_folder, model) = on_disk();
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let check = |variants: &[&str], files: &[&str], all: bool, expected: &[&str]| {
        let selection = Selection {
            variants: names(variants),
            files: names(files),
            all,
        };
        let wanted = model.wanted(&selection).unwrap();
        let paths: Vec<&str> = wanted.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, expected, "{selection:?}");
    };
    let (graph, data, half) = ("onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_q4f16.onnx");
    check(&[], &[], false, &["tokenizer.json", half]);
    check(&["fp32"], &[], false, &["tokenizer.json", graph, data]);
    check(&["fp32", "q4f16"], &[], false, &["tokenizer.json", graph, data, half]);
    check(
        &[],
        &["model.safetensors"],
        false,
        &["tokenizer.json", "model.safetensors"],
    );
    check(&["q4f16"], &[data], false, &["tokenizer.json", data, half]);
    check(
        &[],
        &[],
        true,
        &["tokenizer.json", "model.safetensors", graph, data, half],
    );
    for selection in [
        Selection {
            variants: names(&["q8"]),
            ..Selection::default()
        },
        Selection {
            files: names(&["readme"]),
            ..Selection::default()
        },
    ] {
        assert_eq!(model.wanted(&selection).unwrap_err().code, ErrorCode::Usage);
    }
}

#[test]
fn what_there_is_is_judged_by_size() {
    let (_folder, model) = on_disk();
    std::fs::create_dir_all(model.folder.join("onnx")).unwrap();
    let put = |path: &str, text: &str| std::fs::write(model.folder.join(path), text).unwrap();
    assert_eq!(model.state(), State::Missing);
    put("onnx/model.onnx", "a graph of any size");
    put("tokenizer.json", "abc");
    assert_eq!(
        model.variant_state("onnx/model.onnx"),
        State::Missing,
        "its weights are not there"
    );
    assert_eq!(model.state(), State::Missing);
    put("onnx/model.onnx_data", "12345");
    assert_eq!(model.variant_state("onnx/model.onnx"), State::Present);
    assert_eq!(model.variant_state("onnx/model_q4f16.onnx"), State::Missing);
    assert_eq!(model.state(), State::Present);
    put("onnx/model_q4f16.onnx", "12");
    assert_eq!(model.variant_state("onnx/model_q4f16.onnx"), State::Damaged);
    assert_eq!(model.state(), State::Damaged);
    std::fs::remove_file(model.folder.join("onnx/model_q4f16.onnx")).unwrap();
    std::fs::create_dir(model.folder.join("onnx/model_q4f16.onnx")).unwrap();
    assert_eq!(model.state(), State::Damaged, "a folder is no file");
}
