use std::path::PathBuf;

use super::manifest::Manifest;
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
dtype = "q4f16"
file = "onnx/model_q4f16.onnx"
activation = "float16"
eps = "2e-2"

[[model.variant]]
dtype = "q4"
file = "onnx/model_q4.onnx"
activation = "float32"
eps = "5e-5"

[[model.file]]
path = "tokenizer.json"
bytes = 3
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

[[model.file]]
path = "onnx/model_q4.onnx"
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

[[model.file]]
path = "onnx/model_q4f16.onnx"
"#;

/// A folder with a manifest and the model's files, the ONNX files being empty.
fn on_disk() -> (tempfile::TempDir, Models) {
    with_manifest(MANIFEST)
}

fn with_manifest(manifest: &str) -> (tempfile::TempDir, Models) {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    std::fs::create_dir_all(models.join("small/onnx")).unwrap();
    std::fs::write(models.join("manifest.toml"), manifest).unwrap();
    std::fs::write(models.join("small/tokenizer.json"), "abc").unwrap();
    std::fs::write(models.join("small/onnx/model_q4.onnx"), "").unwrap();
    let found = Models::find(&models.join("small")).unwrap();
    (folder, found)
}

#[test]
fn a_hash_is_lower_case_hex_in_both_directions() {
    let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Hash::of(b"abc").to_string(), text);
    assert_eq!(text.parse::<Hash>().unwrap(), Hash::of(b"abc"));
    for bad in [
        "",
        "ba78",
        &text.to_uppercase(),
        &format!("{text}00"),
        &text[1..],
        &text.replace('b', "x"),
    ] {
        assert_eq!(bad.parse::<Hash>().unwrap_err().code, ErrorCode::Usage, "{bad}");
    }
}

#[test]
fn another_file_is_refused_and_both_hashes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, "abc").unwrap();
    assert_eq!(
        VerifiedBytes::read(&path, Some(Hash::of(b"abc"))).unwrap().bytes,
        b"abc"
    );
    assert_eq!(VerifiedBytes::read(&path, None).unwrap().sha256, Hash::of(b"abc"));
    let error = VerifiedBytes::read(&path, Some(Hash::of(b"abd"))).unwrap_err();
    assert_eq!(error.code, ErrorCode::Integrity);
    for part in [
        &Hash::of(b"abc").to_string(),
        &Hash::of(b"abd").to_string(),
        "tokenizer.json",
    ] {
        assert!(error.message.contains(part), "{error}");
    }
    let missing = VerifiedBytes::read(&folder.path().join("none"), None).unwrap_err();
    assert_eq!(missing.code, ErrorCode::Setup);
}

#[test]
fn a_model_is_found_by_name_folder_and_hash() {
    let (folder, models) = on_disk();
    let by_name = models.choose("small", Some("q4")).unwrap();
    assert_eq!(by_name.eps, "5e-5");
    assert_eq!(by_name.model_sha256, Some(Hash::of(b"")));
    assert_eq!(by_name.tokenizer_sha256, Some(Hash::of(b"abc")));
    assert_eq!((by_name.window, by_name.overlap, by_name.start_token), (512, 128, 0));
    let path = folder.path().join("models").join("small");
    let by_folder = models.choose(path.to_str().unwrap(), Some("q4")).unwrap();
    assert_eq!(
        (by_folder.name, by_folder.model_sha256),
        (by_name.name, by_name.model_sha256)
    );
    assert_eq!(models.by_sha256(Hash::of(b"")).unwrap().variant, "q4");
    assert_eq!(models.by_sha256(Hash::of(b"abc")), None, "the tokenizer is no variant");
}

#[test]
fn the_exact_variant_is_the_default_then_q4f16_then_the_first() {
    let variants = |names: &[&str]| {
        let (head, rest) = MANIFEST.split_once("[[model.variant]]").unwrap();
        let files = rest.split_once("[[model.file]]").unwrap().1;
        // The ONNX file that is there, under several names.
        let variant = |name: &&str| {
            format!(
                "[[model.variant]]\ndtype = '{name}'\nfile = 'onnx/model_q4.onnx'\nactivation = 'float32'\neps = '5e-5'\n"
            )
        };
        let variants: String = names.iter().map(variant).collect();
        let (_folder, models) = with_manifest(&format!("{head}{variants}[[model.file]]{files}"));
        models.choose("small", None).unwrap().variant
    };
    assert_eq!(variants(&["q4", "q4f16", "exact"]), "exact");
    assert_eq!(variants(&["q4", "q4f16"]), "q4f16");
    assert_eq!(variants(&["q8", "q4"]), "q8");
}

#[test]
fn what_is_not_there_is_named() {
    let (_folder, models) = on_disk();
    let check = |model: &str, variant: Option<&str>, code: ErrorCode, hint: &str| {
        let error = models.choose(model, variant).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.hint.contains(hint), "{error}");
    };
    check("large", None, ErrorCode::Usage, "small");
    check("small", Some("q8"), ErrorCode::Usage, "q4f16, q4");
    check("small", None, ErrorCode::Setup, "q4f16, q4");
}

#[test]
fn a_folder_outside_the_manifest_is_a_model_of_unknown_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("other");
    std::fs::create_dir_all(model.join("onnx")).unwrap();
    for file in ["model_q4.onnx", "model.onnx", "readme.txt"] {
        std::fs::write(model.join("onnx").join(file), "").unwrap();
    }
    let models = Models::default();
    let choice = models.choose(model.to_str().unwrap(), None).unwrap();
    assert_eq!(
        (choice.name.as_str(), choice.variant.as_str(), choice.model_sha256),
        ("other", "fp32", None)
    );
    assert_eq!(
        models.choose(model.to_str().unwrap(), Some("q4")).unwrap().model_file,
        "onnx/model_q4.onnx"
    );
    assert_eq!(models.choose("nowhere", None).unwrap_err().code, ErrorCode::Usage);
}

/// The table is for all three languages.
#[test]
fn the_variants_of_a_folder_are_named_by_their_files() {
    #[derive(Deserialize)]
    struct Case {
        files: Vec<String>,
        variants: Vec<String>,
        default: String,
    }
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/cases/variants.json")).unwrap();
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("onnx")).unwrap();
        for file in &case.files {
            std::fs::write(folder.path().join("onnx").join(file), "").unwrap();
        }
        let (models, name) = (Models::default(), folder.path().to_str().unwrap());
        let found = models
            .variants_of(name)
            .unwrap()
            .into_iter()
            .map(|choice| choice.variant);
        assert_eq!(found.collect::<Vec<_>>(), case.variants, "{:?}", case.files);
        assert_eq!(
            models.choose(name, None).unwrap().variant,
            case.default,
            "{:?}",
            case.files
        );
    }
}

#[test]
fn a_folder_is_held_to_the_manifest_beside_it() {
    let (folder, _) = on_disk();
    let models = folder.path().join("models");
    let small = models.join("small");
    let elsewhere = Models::default();
    let choose = || elsewhere.choose(small.to_str().unwrap(), Some("q4"));
    let choice = choose().unwrap();
    assert_eq!((choice.name.as_str(), choice.eps.as_str()), ("small", "5e-5"));
    assert_eq!(choice.model_sha256, Some(Hash::of(b"")));
    assert_eq!(choice.tokenizer_sha256, Some(Hash::of(b"abc")));
    let other = MANIFEST.replace("folder = \"small\"", "folder = \"other\"");
    std::fs::write(models.join("manifest.toml"), other).unwrap();
    assert_eq!(choose().unwrap().model_sha256, None);
    std::fs::write(models.join("manifest.toml"), "version = 2").unwrap();
    assert_eq!(choose().unwrap_err().code, ErrorCode::Setup);
}

#[test]
fn a_bad_manifest_is_refused() {
    let check = |from: &str, to: &str| {
        let text = MANIFEST.replace(from, to);
        assert_ne!(text, MANIFEST);
        assert!(Manifest::parse(&text, PathBuf::new()).is_err(), "{to}");
    };
    check("version = 1", "version = 2");
    check("version = 1", "");
    check("window = 512", "window = 128");
    check("path = \"onnx/model_q4.onnx\"", "path = \"../onnx/model_q4.onnx\"");
    check("path = \"onnx/model_q4.onnx\"", "path = \"/onnx/model_q4.onnx\"");
    check("path = \"onnx/model_q4.onnx\"", "path = \"tokenizer.json\"");
    check("folder = \"small\"", "folder = \"\"");
    check("sha256 = \"ba78", "sha256 = \"BA78");
}

#[test]
fn hashes_of_unknown_files_are_unknown() {
    let (folder, models) = on_disk();
    let choices = models.variants("small").unwrap();
    assert_eq!(
        choices
            .iter()
            .map(|choice| choice.model_sha256.is_some())
            .collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(choices[0].model_dir, folder.path().join("models").join("small"));
}
