//! Owns the fingerprint: what computed a set of logits, in the words of PROTOCOL.md. It only describes; nothing decides by it.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

/// What computed the logits. A value that is not known yet, or never will be, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The runner's language, such as `rust`.
    pub language: String,
    /// The version of the language's implementation.
    #[serde(deserialize_with = "stated")]
    pub language_version: Option<String>,
    /// What executes the graph, such as `onnxruntime`.
    #[serde(deserialize_with = "stated")]
    pub runtime: Option<String>,
    /// The runtime's version.
    #[serde(deserialize_with = "stated")]
    pub runtime_version: Option<String>,
    /// The execution provider, such as `cpu`.
    #[serde(deserialize_with = "stated")]
    pub provider: Option<String>,
    /// Threads within one operation.
    #[serde(deserialize_with = "stated")]
    pub threads: Option<u32>,
    /// The graph optimisation level.
    #[serde(deserialize_with = "stated")]
    pub graph_optimization: Option<GraphOptimization>,
    /// `linux`, `macos` or `windows`.
    #[serde(deserialize_with = "stated")]
    pub os: Option<String>,
    /// `x64` or `arm64`.
    #[serde(deserialize_with = "stated")]
    pub arch: Option<String>,
    /// Instruction sets that kernels are chosen by, as far as the language can tell.
    pub cpu_features: Vec<String>,
    /// The implementation of the tokenizer.
    #[serde(deserialize_with = "stated")]
    pub tokenizer: Option<String>,
    /// The tokenizer implementation's version.
    #[serde(deserialize_with = "stated")]
    pub tokenizer_version: Option<String>,
}

/// A value that may be unknown, but is not left out.
fn stated<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// How far the runtime may rewrite the graph before it runs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraphOptimization {
    /// Not at all.
    Disabled,
    /// Rewrites that keep every operation's meaning.
    Basic,
    /// Also fusions into the runtime's own operations.
    Extended,
    /// Everything.
    #[default]
    All,
}

impl Fingerprint {
    /// What is known before a model is loaded.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            language: "rust".to_owned(),
            language_version: known(env!("LLMZIP_RUSTC_VERSION")),
            runtime: Some(super::runtime::NAME.to_owned()),
            runtime_version: None,
            provider: None,
            threads: None,
            graph_optimization: None,
            os: Some(std::env::consts::OS.to_owned()),
            arch: Some(arch().to_owned()),
            cpu_features: cpu_features(),
            tokenizer: Some("tokenizers".to_owned()),
            tokenizer_version: known(env!("LLMZIP_TOKENIZERS_VERSION")),
        }
    }

    /// `ort-VERSION/ARCH`, which a container carries (FORMAT.md section 8): at most 32 characters.
    #[must_use]
    pub fn container_fingerprint(&self) -> String {
        let version = self.runtime_version.as_deref().unwrap_or("unknown");
        let arch = self.arch.as_deref().unwrap_or("unknown");
        format!("ort-{version}/{arch}").chars().take(32).collect()
    }
}

fn known(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// The architecture under the name that Node and Python runners use too.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Those features of which ONNX Runtime's kernels take note, under Linux's names.
const CPU_FEATURES: [&str; 26] = [
    "sse4_1",
    "sse4_2",
    "avx",
    "avx2",
    "avx_vnni",
    "f16c",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512dq",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimdhp",
    "asimddp",
    "asimdfhm",
    "i8mm",
    "bf16",
    "sve",
    "sve2",
    "sme",
];

/// Names of the CPU's features that matter, sorted; none where the system does not tell. Every language asks the same file, so
/// that equal machines have equal lists.
fn cpu_features() -> Vec<String> {
    let text = std::fs::read("/proc/cpuinfo").unwrap_or_default();
    features_of(&String::from_utf8_lossy(&text))
}

fn features_of(cpuinfo: &str) -> Vec<String> {
    let is_flags = |line: &&str| {
        let line = line.to_ascii_lowercase();
        line.starts_with("flags") || line.starts_with("features")
    };
    let flags = cpuinfo.lines().find(is_flags).and_then(|line| line.split_once(':'));
    let flags = flags.map_or(BTreeSet::new(), |(_, flags)| flags.split_whitespace().collect());
    let known = flags.into_iter().filter(|flag| CPU_FEATURES.contains(flag));
    known.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_described_before_a_model_is_loaded() {
        let fingerprint = Fingerprint::of_process();
        let numbers = |version: &Option<String>| {
            version
                .as_deref()
                .is_some_and(|v| v.split('.').count() >= 3 && v.starts_with(|c: char| c.is_ascii_digit()))
        };
        assert!(numbers(&fingerprint.language_version), "{fingerprint:?}");
        assert!(numbers(&fingerprint.tokenizer_version), "{fingerprint:?}");
        assert_eq!(fingerprint.runtime_version, None);
    }

    #[test]
    fn features_are_those_of_the_first_cpu() {
        let check = |cpuinfo: &str, expected: &[&str]| assert_eq!(features_of(cpuinfo), expected);
        check(
            "processor\t: 0\nflags\t\t: fpu fma avx2 avx hle\n\nflags\t\t: sse4_1\n",
            &["avx", "avx2", "fma"],
        );
        check("Features\t: fp asimd asimddp\n", &["asimd", "asimddp"]);
        check("processor\t: 0\n", &[]);
        check("", &[]);
    }

    #[test]
    fn a_container_carries_runtime_and_architecture() {
        let mut fingerprint = Fingerprint::of_process();
        fingerprint.runtime_version = Some("1.30.0".to_owned());
        fingerprint.arch = Some("x64".to_owned());
        assert_eq!(fingerprint.container_fingerprint(), "ort-1.30.0/x64");
    }
}
