//! Owns the fingerprint: what computed a set of logits, in the words of PROTOCOL.md. It only describes; nothing decides by it.

use serde::{Deserialize, Serialize};

/// What computed the logits. A value that is not known yet, or never will be, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fingerprint {
    /// The runner's language, such as `rust`.
    pub language: String,
    /// The version of the language's implementation.
    pub language_version: Option<String>,
    /// What executes the graph, such as `onnxruntime`.
    pub runtime: Option<String>,
    /// The runtime's version.
    pub runtime_version: Option<String>,
    /// The execution provider, such as `cpu`.
    pub provider: Option<String>,
    /// Threads within one operation.
    pub threads: Option<u32>,
    /// The graph optimisation level.
    pub graph_optimization: Option<GraphOptimization>,
    /// `linux`, `macos` or `windows`.
    pub os: Option<String>,
    /// `x64` or `arm64`.
    pub arch: Option<String>,
    /// Instruction sets that kernels are chosen by, as far as the language can tell.
    pub cpu_features: Vec<String>,
    /// The implementation of the tokenizer.
    pub tokenizer: Option<String>,
    /// The tokenizer implementation's version.
    pub tokenizer_version: Option<String>,
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
            runtime: Some("onnxruntime".to_owned()),
            runtime_version: None,
            provider: None,
            threads: None,
            graph_optimization: None,
            os: Some(std::env::consts::OS.to_owned()),
            arch: Some(arch().to_owned()),
            cpu_features: cpu_features().into_iter().map(str::to_owned).collect(),
            tokenizer: Some("tokenizers".to_owned()),
            tokenizer_version: known(env!("LLMZIP_TOKENIZERS_VERSION")),
        }
    }

    /// `ort-VERSION/ARCH`, which a container carries (FORMAT.md section 8).
    #[must_use]
    pub fn container_fingerprint(&self) -> String {
        let version = self.runtime_version.as_deref().unwrap_or("unknown");
        let arch = self.arch.as_deref().unwrap_or("unknown");
        format!("ort-{version}/{arch}")
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

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<&'static str> {
    use std::arch::is_x86_feature_detected as detected;
    let features = [
        ("sse4_1", detected!("sse4.1")),
        ("avx", detected!("avx")),
        ("avx2", detected!("avx2")),
        ("f16c", detected!("f16c")),
        ("fma", detected!("fma")),
        ("avx_vnni", detected!("avxvnni")),
        ("avx512f", detected!("avx512f")),
        ("avx512bw", detected!("avx512bw")),
        ("avx512vl", detected!("avx512vl")),
        ("avx512_vnni", detected!("avx512vnni")),
    ];
    features
        .into_iter()
        .filter_map(|(name, present)| present.then_some(name))
        .collect()
}

#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<&'static str> {
    use std::arch::is_aarch64_feature_detected as detected;
    let features = [
        ("asimd", detected!("neon")),
        ("asimddp", detected!("dotprod")),
        ("asimdhp", detected!("fp16")),
        ("bf16", detected!("bf16")),
        ("i8mm", detected!("i8mm")),
        ("sve", detected!("sve")),
    ];
    features
        .into_iter()
        .filter_map(|(name, present)| present.then_some(name))
        .collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> Vec<&'static str> {
    Vec::new()
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
    fn a_container_carries_runtime_and_architecture() {
        let mut fingerprint = Fingerprint::of_process();
        fingerprint.runtime_version = Some("1.30.0".to_owned());
        fingerprint.arch = Some("x64".to_owned());
        assert_eq!(fingerprint.container_fingerprint(), "ort-1.30.0/x64");
    }
}
