//! Owns the one ONNX Runtime library of the process: loading it from a given path, its version, its environment, and the questions to it
//! that `ort` has no call for. It knows nothing of graphs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Mutex;

use ort::AsPointer as _;
use ort::environment::Environment;
use ort::session::Session;

use crate::{Error, ErrorCode, Result};

/// The name of the engine in fingerprints.
pub const NAME: &str = "onnxruntime";

/// The loaded library. There is one per process, and it stays until the end of it.
#[derive(Debug)]
pub struct Runtime {
    library: PathBuf,
    version: String,
    environment: Environment,
}

static RUNTIME: Mutex<Option<&'static Runtime>> = Mutex::new(None);

impl Runtime {
    /// The ONNX Runtime of the shared library at `library`; loads it when called for the first time.
    ///
    /// # Errors
    /// `setup` when the file is missing, is not ONNX Runtime, or is another library than the one already loaded.
    pub fn open(library: &Path) -> Result<&'static Self> {
        let library = library.canonicalize().map_err(|error| {
            Error::new(
                ErrorCode::Setup,
                format!("cannot find the ONNX Runtime library {}: {error}", library.display()),
            )
            .with_hint("`cargo run -- setup` installs it; LLMZIP_ORT_LIB names another shared library")
        })?;
        let mut slot = RUNTIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(runtime) = *slot {
            return runtime.same_library(library);
        }
        let version = library_version(&library)?;
        let environment = ort::init_from(&library)
            .map_err(|error| not_loaded(&library, &error))?
            .with_name("llmzip")
            .with_telemetry(false)
            .build()
            .map_err(|error| not_loaded(&library, &error))?;
        let runtime = Box::leak(Box::new(Self {
            library,
            version,
            environment,
        }));
        *slot = Some(runtime);
        Ok(runtime)
    }

    fn same_library(&'static self, library: PathBuf) -> Result<&'static Self> {
        if self.library == library {
            return Ok(self);
        }
        Err(Error::new(
            ErrorCode::Setup,
            format!(
                "this process has already loaded ONNX Runtime from {}; it cannot also load {}",
                self.library.display(),
                library.display()
            ),
        )
        .with_hint("use one ONNX Runtime library per process"))
    }

    /// The version that the library itself states, such as `1.30.0`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where the library was loaded from.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.library
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn not_loaded(library: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorCode::Setup,
        format!("cannot load ONNX Runtime from {}: {reason}", library.display()),
    )
    .with_hint("`cargo run -- setup` installs one that fits; LLMZIP_ORT_LIB names another, which must be 1.24 or later and built for this machine")
}

/// Asks the library for its version. `ort` has no call for it.
#[expect(
    unsafe_code,
    reason = "a symbol of a shared library has no type that the compiler could check"
)]
fn library_version(library: &Path) -> Result<String> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: loading a library runs its initialisers; that of ONNX Runtime has none with preconditions.
    let handle = unsafe { libloading::Library::new(library) }.map_err(|error| not_loaded(library, &error))?;
    // SAFETY: ONNX Runtime exports this function with this type, in every version.
    let get_api_base = unsafe { handle.get::<GetApiBase>(b"OrtGetApiBase") }
        .map_err(|_| not_loaded(library, &"it has no function OrtGetApiBase"))?;
    // SAFETY: the function takes nothing and returns a pointer to a static table, or null.
    let base = unsafe { get_api_base().as_ref() }.ok_or_else(|| not_loaded(library, &"it offers no API"))?;
    // SAFETY: the table's function returns a static NUL-terminated string.
    let version = unsafe { std::ffi::CStr::from_ptr((base.GetVersionString)()) };
    Ok(version.to_string_lossy().into_owned())
}

/// How many nodes of its graph a session gave each execution provider, by the provider's name in ONNX Runtime. The session must have been made
/// with `session.record_ep_graph_assignment_info`. `ort` has no call for it.
#[expect(unsafe_code, reason = "the runtime's tables are raw pointers")]
pub(super) fn assigned_nodes(session: &Session) -> ort::Result<BTreeMap<String, usize>> {
    let api = ort::api();
    let (mut subgraphs, mut count) = (ptr::null(), 0);
    // SAFETY: the session is alive, and the two are filled in by the call. The status is the call's own.
    unsafe {
        ort::Error::result_from_status((api.Session_GetEpGraphAssignmentInfo)(
            session.ptr(),
            &raw mut subgraphs,
            &raw mut count,
        ))
    }?;
    let mut nodes = BTreeMap::new();
    for index in 0..count {
        let (mut name, mut members, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the table has `count` entries and lives as long as the session, its names and members with it.
        let subgraph = unsafe { *subgraphs.add(index) };
        // SAFETY: as above; the name is NUL-terminated, and set where the call gave no error.
        let name = unsafe {
            ort::Error::result_from_status((api.EpAssignedSubgraph_GetEpName)(subgraph, &raw mut name))?;
            std::ffi::CStr::from_ptr(name)
        };
        // SAFETY: as above.
        unsafe {
            ort::Error::result_from_status((api.EpAssignedSubgraph_GetNodes)(
                subgraph,
                &raw mut members,
                &raw mut size,
            ))
        }?;
        *nodes.entry(name.to_string_lossy().into_owned()).or_insert(0) += size;
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::runtime;

    #[test]
    fn one_library_serves_the_whole_process() {
        let Some(runtime) = runtime() else { return };
        let again = Runtime::open(runtime.library()).unwrap();
        assert!(ptr::eq(runtime, again));
        let other = std::env::current_exe().unwrap();
        let error = Runtime::open(&other).unwrap_err();
        assert_eq!(error.code, ErrorCode::Setup);
        for library in [runtime.library(), &other] {
            assert!(error.message.contains(&library.display().to_string()), "{error}");
        }
    }

    #[test]
    fn what_is_no_runtime_is_refused() {
        let missing = Runtime::open(Path::new("nowhere/libonnxruntime.so")).unwrap_err();
        assert_eq!(missing.code, ErrorCode::Setup);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libonnxruntime.so");
        std::fs::write(&file, "not a library").unwrap();
        let error = library_version(&file).unwrap_err();
        assert_eq!(error.code, ErrorCode::Setup);
        assert!(!error.hint.is_empty());
    }
}
