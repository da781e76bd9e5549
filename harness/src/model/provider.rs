//! Owns the execution providers: their names, whether the loaded library has one, its registration, and the proof that it took part.
//! It knows no graph.

use std::collections::BTreeMap;

use ort::ep::{self, ExecutionProviderDispatch};

use crate::{Error, ErrorCode, Result};

/// An execution provider that can be asked for.
#[derive(Clone, Copy)]
pub struct Provider {
    /// Its name here, on every command line and in the protocol.
    pub name: &'static str,
    /// Its name in ONNX Runtime.
    pub long_name: &'static str,
    is_in_build: fn() -> ort::Result<bool>,
    dispatch: fn() -> ExecutionProviderDispatch,
}

/// The row of [`PROVIDERS`] for a type of `ort`.
macro_rules! provider {
    ($name:literal, $kind:ident) => {
        Provider {
            name: $name,
            long_name: <ep::$kind as ep::ExecutionProvider>::NAME,
            is_in_build: <ep::$kind as ep::ExecutionProvider>::is_available,
            dispatch: || ep::$kind::default().build(),
        }
    };
}

/// The provider that every build has, and that takes what others leave.
pub const CPU: &str = "cpu";

/// All providers that can be asked for; which of them there are is the build's, and the machine's.
pub const PROVIDERS: [Provider; 10] = [
    provider!("cpu", CPU),
    provider!("cuda", CUDA),
    provider!("tensorrt", TensorRT),
    provider!("coreml", CoreML),
    provider!("dml", DirectML),
    provider!("migraphx", MIGraphX),
    provider!("openvino", OpenVINO),
    provider!("qnn", QNN),
    provider!("webgpu", WebGPU),
    provider!("xnnpack", XNNPACK),
];

impl Provider {
    /// The provider of this name.
    ///
    /// # Errors
    /// `unsupported` where there is none.
    pub fn named(name: &str) -> Result<Self> {
        PROVIDERS
            .into_iter()
            .find(|provider| provider.name == name)
            .ok_or_else(|| {
                let names = PROVIDERS.map(|provider| provider.name).join(", ");
                Error::new(
                    ErrorCode::Unsupported,
                    format!("there is no execution provider {name:?}"),
                )
                .with_hint(format!("use one of {names}"))
            })
    }

    /// What registers it with a session, in the order of preference; an error there is one of the session. ONNX Runtime must be loaded.
    ///
    /// # Errors
    /// `unsupported` where the loaded build of ONNX Runtime lacks it.
    pub(super) fn registration(&self) -> Result<Vec<ExecutionProviderDispatch>> {
        if self.is_cpu() {
            return Ok(Vec::new());
        }
        let is_in_build = (self.is_in_build)().map_err(|error| {
            Error::new(
                ErrorCode::Internal,
                format!("cannot ask ONNX Runtime what it has: {error}"),
            )
        })?;
        if is_in_build {
            return Ok(vec![(self.dispatch)().error_on_failure()]);
        }
        let message = format!(
            "the execution provider {} is not in this build of ONNX Runtime",
            self.name
        );
        Err(Error::new(ErrorCode::Unsupported, message)
            .with_hint("use the provider cpu, or name another build's library with LLMZIP_ORT_LIB"))
    }

    /// The error of a session that could not be made with this provider.
    pub(super) fn unusable(&self, error: &ort::Error) -> Error {
        let message = format!("the execution provider {} cannot be used here: {error}", self.name);
        Error::new(ErrorCode::Unsupported, message).with_hint(USE_CPU)
    }

    /// Holds a session to the provider that was asked for; `nodes` are how many nodes of its graph each provider was given.
    ///
    /// # Errors
    /// `unsupported` where it was given none: ONNX Runtime says nothing of itself when the CPU does all.
    pub(super) fn check_took_part(&self, nodes: &BTreeMap<String, usize>) -> Result<()> {
        if nodes.get(self.long_name).is_some_and(|&count| count > 0) {
            return Ok(());
        }
        let total: usize = nodes.values().sum();
        let message = format!(
            "ONNX Runtime gave none of the graph's {total} nodes to the execution provider {}: it fell back to the CPU",
            self.name
        );
        Err(Error::new(ErrorCode::Unsupported, message).with_hint(USE_CPU))
    }

    pub(super) fn is_cpu(&self) -> bool {
        self.name == CPU
    }
}

const USE_CPU: &str = "use the provider cpu, or a machine and a graph that the provider can serve";

#[cfg(test)]
pub(super) mod tests {
    use serde::Deserialize;

    use super::*;

    /// One that the tested build has and that takes no node: what falling back looks like.
    pub const IDLE: Provider = provider!("azure", Azure);

    #[derive(Deserialize)]
    struct Case {
        name: String,
        onnxruntime: String,
    }

    #[test]
    fn the_providers_are_those_of_every_language() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/cases/providers.json")).unwrap();
        let expected: Vec<(&str, &str)> = cases
            .iter()
            .map(|case| (case.name.as_str(), case.onnxruntime.as_str()))
            .collect();
        assert_eq!(
            PROVIDERS.map(|provider| (provider.name, provider.long_name)).to_vec(),
            expected
        );
    }
}
