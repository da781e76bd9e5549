//! Owns `llmzip setup`.

use super::args::SetupArguments;
use super::output::Output;
use super::progress::SetupTalk;
use crate::Result;
use crate::setup::{self, Layout, Packages};

/// Makes the environments and says where the Python is.
pub fn run(arguments: &SetupArguments, output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    let mut talk = SetupTalk::new(output);
    let packages = if arguments.dev {
        Packages::Development
    } else {
        Packages::Runtime
    };
    let python = setup::prepare_python(&layout, packages, &mut talk)?;
    let node = setup::prepare_node(&layout, &mut talk)?;
    let library = setup::find_onnxruntime(&layout)?;
    output.data(&format!(
        "python {}\nnode {}\nonnxruntime {}\n",
        python.display(),
        node.display(),
        library.display()
    ))?;
    Ok(0)
}
