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
data = ["onnx/weights.bin"]
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
path = "onnx/weights.bin"
bytes = 5

[[model.file]]
path = "onnx/model_q4f16.onnx"
bytes = 1
"#;

fn on_disk() -> (tempfile::TempDir, ModelFiles) {
    with_manifest(MANIFEST)
}

fn with_manifest(manifest: &str) -> (tempfile::TempDir, ModelFiles) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("manifest.toml");
    std::fs::write(&file, manifest).unwrap();
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
    let (graph, data, half) = ("onnx/model.onnx", "onnx/weights.bin", "onnx/model_q4f16.onnx");
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
    let state_of = |dtype: &str| {
        let mut variants = model.record.variants.iter();
        model.variant_state(variants.find(|variant| variant.dtype == dtype).unwrap())
    };
    assert_eq!(model.state(), State::Missing);
    put("onnx/model.onnx", "a graph of any size");
    put("tokenizer.json", "abc");
    assert_eq!(state_of("fp32"), State::Missing, "its weights are not there");
    assert_eq!(model.state(), State::Missing);
    put("onnx/weights.bin", "12345");
    assert_eq!(state_of("fp32"), State::Present);
    assert_eq!(state_of("q4f16"), State::Missing);
    assert_eq!(model.state(), State::Present);
    put("onnx/model_q4f16.onnx", "12");
    assert_eq!(state_of("q4f16"), State::Damaged);
    assert_eq!(model.state(), State::Damaged);
    std::fs::remove_file(model.folder.join("onnx/model_q4f16.onnx")).unwrap();
    std::fs::create_dir(model.folder.join("onnx/model_q4f16.onnx")).unwrap();
    assert_eq!(model.state(), State::Damaged, "a folder is no file");
}

#[test]
fn a_file_of_a_variant_that_has_no_entry_is_named() {
    let of = |variant: &str, files: &[&str], all: bool| Selection {
        variants: [variant]
            .iter()
            .filter(|name| !name.is_empty())
            .map(ToString::to_string)
            .collect(),
        files: files.iter().map(ToString::to_string).collect(),
        all,
    };
    for path in ["onnx/model.onnx", "onnx/weights.bin"] {
        let manifest = MANIFEST.replace(&format!("path = \"{path}\""), "path = \"other\"");
        let (_folder, model) = with_manifest(&manifest);
        for selection in [of("fp32", &[], false), of("", &[], true)] {
            let error = model.wanted(&selection).unwrap_err();
            assert_eq!(error.code, ErrorCode::Setup);
            assert!(
                error.message.contains("fp32") && error.message.contains(path),
                "{error}"
            );
            assert!(error.hint.contains("[[model.file]]"), "{error}");
        }
        for selection in [of("q4f16", &[], false), of("", &["tokenizer.json"], false)] {
            model.wanted(&selection).unwrap();
        }
        let put = |path: &str, text: &str| {
            let path = model.folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (path, text) in [
            ("onnx/model.onnx", "graph"),
            ("tokenizer.json", "abc"),
            ("onnx/weights.bin", "12345"),
        ] {
            put(path, text);
        }
        put("other", "12345");
        assert_eq!(model.variant_state(&model.record.variants[0]), State::Present);
        std::fs::remove_file(model.folder.join(path)).unwrap();
        assert_eq!(model.variant_state(&model.record.variants[0]), State::Missing, "{path}");
    }
}

#[test]
fn a_model_without_variants_is_all_its_files() {
    let (head, rest) = MANIFEST.split_once("[[model.variant]]").unwrap();
    let files = rest.split_once("[[model.file]]").unwrap().1;
    let (_folder, model) = with_manifest(&format!("{head}[[model.file]]{files}"));
    let wanted = model.wanted(&Selection::default()).unwrap();
    assert_eq!(wanted, model.files(), "nothing says that one of them is not needed");
    for (done, file) in wanted.iter().enumerate() {
        assert_eq!(model.state(), State::Missing, "after {done}");
        std::fs::create_dir_all(file.target.parent().unwrap()).unwrap();
        std::fs::write(&file.target, vec![0; usize::try_from(file.bytes.unwrap_or(2)).unwrap()]).unwrap();
    }
    assert_eq!(model.state(), State::Present);
    std::fs::write(&wanted[0].target, "7").unwrap();
    assert_eq!(model.state(), State::Damaged);
}
