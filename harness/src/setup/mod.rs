//! Owns what must be on the machine before a runner can start: where the project lies, which tools there are, the Python and
//! Node environments, the ONNX Runtime library, Chromium and emulated processors. It starts no runner and knows nothing of models.

mod browser;
mod emulation;
mod environment;
pub mod layout;
pub(crate) mod library;
mod node;
mod python;
mod tools;

pub use browser::{CHROMIUM_VARIABLE, find as find_chromium};
pub use emulation::{EMULATED_CPUS, EmulatedCpu, EmulatedPython};
pub use layout::Layout;
pub use python::Packages;

use std::path::PathBuf;

use crate::Result;

/// Told what set-up is doing.
pub trait Narrator {
    /// A step begins that may take a while.
    fn begins(&mut self, what: &str);
    /// The step is over.
    fn ended(&mut self);
}

/// Makes the Python environment where it is missing or out of date.
///
/// # Errors
/// `setup` when a tool is missing or an installation fails.
pub fn prepare_python(layout: &Layout, packages: Packages, narrator: &mut dyn Narrator) -> Result<PathBuf> {
    python::prepare(layout, packages, narrator)
}

/// Makes the Node environment where it is missing or out of date.
///
/// # Errors
/// `setup` when a tool is missing or an installation fails.
pub fn prepare_node(layout: &Layout, narrator: &mut dyn Narrator) -> Result<PathBuf> {
    node::prepare(layout, narrator)
}

/// The ONNX Runtime library that the Python environment brings.
///
/// # Errors
/// `setup` when there is none.
pub fn find_onnxruntime(layout: &Layout) -> Result<PathBuf> {
    library::find(layout)
}

/// One line of `llmzip doctor`.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was looked for.
    pub name: &'static str,
    /// Whether nothing works without it.
    pub is_needed: bool,
    /// What is there, or what is missing and how to get it.
    pub state: std::result::Result<String, String>,
}

/// Looks for everything and installs nothing.
#[must_use]
pub fn examine(layout: &Layout) -> Vec<Finding> {
    let finding = |name, state: Result<String>| Finding {
        name,
        // Set-up gets uv by itself; without Chromium one runner is left out.
        is_needed: name != "uv" && name != "chromium",
        state: state.map_err(|error| error.to_string()),
    };
    vec![
        finding("project", Ok(layout.root().display().to_string())),
        finding("python", tools::python().map(|tool| tool.describe())),
        finding("uv", python::examine_uv(layout)),
        finding("python environment", python::examine(layout)),
        finding(
            "onnxruntime library",
            library::find(layout).map(|path| path.display().to_string()),
        ),
        finding("node", tools::node().map(|tool| tool.describe())),
        finding("npm", tools::npm().map(|tool| tool.describe())),
        finding("node packages", node::examine(layout)),
        finding("chromium", browser::examine()),
    ]
}
