//! Owns the classes of pairs and their tolerances (`classes.toml`, the one place where a tolerance is written), and the
//! verdict that follows from a measurement.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::stats::{CodedStats, PairStats};
use crate::runner::protocol::Fingerprint;
use crate::{Error, ErrorCode, Result};

/// The execution provider on graphics processors, as fingerprints name it.
const WEBGPU: &str = "webgpu";
/// The architecture of a runtime in a browser, as fingerprints name it.
const WASM: &str = "wasm";

/// The type of a graph's activations, by its KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activations {
    /// 16-bit floats.
    Float16,
    /// 32-bit floats.
    Float32,
    /// An exact graph: integers, and floats that are the same bits everywhere.
    Exact,
}

/// Which class a pair belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairClass {
    /// Any two runs of an exact graph.
    Exact,
    /// Same runtime build on the same kind of CPU, same plan.
    SameBuild,
    /// The same runner with another plan.
    OtherPlan,
    /// Same runtime and version, other CPU.
    OtherCpu,
    /// Native code and WebAssembly.
    NativeWasm,
    /// WebGPU on one side, native code or WebAssembly on the other.
    Webgpu,
    /// Anything else.
    OtherVersion,
}

impl PairClass {
    /// All classes.
    pub const ALL: [Self; 7] = [
        Self::Exact,
        Self::SameBuild,
        Self::OtherPlan,
        Self::OtherCpu,
        Self::NativeWasm,
        Self::Webgpu,
        Self::OtherVersion,
    ];

    /// The class of two runners' rows of the same plan, for a graph of these activations.
    #[must_use]
    pub fn of(activations: Activations, left: &Fingerprint, right: &Fingerprint) -> Self {
        if activations == Activations::Exact {
            return Self::Exact;
        }
        Self::between(left, right)
    }

    /// The class of one runner's rows of two plans, for a graph of these activations.
    #[must_use]
    pub const fn of_plans(activations: Activations) -> Self {
        match activations {
            Activations::Exact => Self::Exact,
            Activations::Float16 | Activations::Float32 => Self::OtherPlan,
        }
    }

    fn between(left: &Fingerprint, right: &Fingerprint) -> Self {
        let build = |f: &Fingerprint| {
            (
                f.runtime.clone(),
                f.runtime_version.clone(),
                f.provider.clone(),
                f.graph_optimization,
            )
        };
        if build(left) != build(right) {
            let uses_webgpu = |f: &Fingerprint| f.provider.as_deref() == Some(WEBGPU);
            let is_web = |f: &Fingerprint| f.arch.as_deref() == Some(WASM);
            if uses_webgpu(left) != uses_webgpu(right) {
                return Self::Webgpu;
            }
            return if is_web(left) == is_web(right) {
                Self::OtherVersion
            } else {
                Self::NativeWasm
            };
        }
        // A language that cannot tell the CPU's features says nothing about them: an empty list matches any.
        let unknown = left.cpu_features.is_empty() || right.cpu_features.is_empty();
        let features = |f: &Fingerprint| f.cpu_features.iter().cloned().collect::<BTreeSet<_>>();
        if left.arch != right.arch || !(unknown || features(left) == features(right)) {
            return Self::OtherCpu;
        }
        Self::SameBuild
    }
}

/// What was expected and allowed, and whether it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairVerdict {
    /// The same bits.
    BitExact,
    /// Other bits, within the tolerance.
    Within,
    /// Beyond the tolerance, or not finite.
    Diverged,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    tolerance: f64,
    measured: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Expectation {
    /// Nothing else holds.
    OnlyBitExact,
    /// What is merely within deserves a remark.
    BitExact,
    Within,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    name: PairClass,
    #[expect(dead_code, reason = "for the reader of the file; its presence is required")]
    when: String,
    reason: String,
    expect: Expectation,
    float32: Option<Limit>,
    float16: Option<Limit>,
    exact: Option<Limit>,
}

impl Class {
    fn limit(&self, activations: Activations) -> Option<Limit> {
        match activations {
            Activations::Float16 => self.float16,
            Activations::Float32 => self.float32,
            Activations::Exact => self.exact,
        }
    }
}

/// All classes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    class: Vec<Class>,
}

impl Classes {
    /// The classes of `classes.toml`.
    ///
    /// # Errors
    /// `internal` when the file lacks a class or has one twice.
    pub fn built_in() -> Result<Self> {
        Self::parse(include_str!("classes.toml"))
    }

    fn parse(text: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(ErrorCode::Internal, format!("classes.toml: {what}"));
        let classes: Self = toml::from_str(text).map_err(|source| wrong(source.to_string()))?;
        for name in PairClass::ALL {
            let found: Vec<&Class> = classes.class.iter().filter(|class| class.name == name).collect();
            let [class] = found.as_slice() else {
                return Err(wrong(format!("class {name:?} must be there once")));
            };
            for activations in [Activations::Float16, Activations::Float32, Activations::Exact] {
                let belongs = (activations == Activations::Exact) == (name == PairClass::Exact);
                // Not measured yet; then nothing is allowed.
                let may_lack = name == PairClass::Webgpu && activations == Activations::Float16;
                let has = class.limit(activations).is_some();
                if has != belongs && (has || !may_lack) {
                    return Err(wrong(format!(
                        "class {name:?} and activations {activations:?} do not go together"
                    )));
                }
            }
        }
        Ok(classes)
    }

    fn find(&self, name: PairClass) -> &Class {
        // `parse` made sure that each is there.
        self.class
            .iter()
            .find(|class| class.name == name)
            .unwrap_or(&self.class[0])
    }

    /// The tolerance of a class, in nats.
    #[must_use]
    pub fn tolerance(&self, name: PairClass, activations: Activations) -> f64 {
        self.limit(name, activations).tolerance
    }

    /// Why the class allows what it allows.
    #[must_use]
    pub fn reason(&self, name: PairClass) -> &str {
        &self.find(name).reason
    }

    /// Whether the class expects the same bits, so that a pair that is merely within deserves a remark.
    #[must_use]
    pub fn expects_bit_exact(&self, name: PairClass) -> bool {
        self.find(name).expect != Expectation::Within
    }

    /// The largest difference seen in this class when the file was written.
    #[must_use]
    pub fn measured(&self, name: PairClass, activations: Activations) -> f64 {
        self.limit(name, activations).measured
    }

    fn limit(&self, name: PairClass, activations: Activations) -> Limit {
        // `parse` made sure that classes and activations go together; nothing is allowed where they do not.
        self.find(name).limit(activations).unwrap_or(Limit {
            tolerance: 0.0,
            measured: 0.0,
        })
    }

    /// Judges a measurement. A value that is not finite always fails, whatever the tolerance.
    #[must_use]
    pub fn judge(&self, name: PairClass, activations: Activations, stats: &PairStats) -> PairVerdict {
        let finite = stats.left_not_finite == 0 && stats.right_not_finite == 0;
        let within = stats.smallest_tolerance <= self.tolerance(name, activations);
        let enough = stats.bit_exact || self.find(name).expect != Expectation::OnlyBitExact;
        verdict(finite && within && enough, stats.bit_exact)
    }

    /// Judges a measurement of coded log-probs alone, by the same tolerances.
    #[must_use]
    pub fn judge_coded(&self, name: PairClass, activations: Activations, stats: &CodedStats) -> PairVerdict {
        let finite = stats.left_not_finite == 0 && stats.right_not_finite == 0;
        let within = stats.max_abs <= self.tolerance(name, activations);
        verdict(finite && within, stats.identical == stats.positions)
    }
}

const fn verdict(holds: bool, bit_exact: bool) -> PairVerdict {
    match (holds, bit_exact) {
        (true, true) => PairVerdict::BitExact,
        (true, false) => PairVerdict::Within,
        (false, _) => PairVerdict::Diverged,
    }
}

#[cfg(test)]
mod tests;
