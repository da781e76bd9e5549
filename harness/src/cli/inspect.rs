//! Owns `llmzip inspect`: what a graph declares, as text or JSON.

use std::fmt::Write as _;

use super::args::InspectArguments;
use super::model::ModelSource;
use super::output::Output;
use crate::model::graph::{Dimension, GraphView, TensorInfo};
use crate::model::signature::Batch;
use crate::report::terminal::printable;
use crate::{Error, ErrorCode, Result};

/// Prints it.
pub fn run(arguments: &InspectArguments, output: &Output) -> Result<u8> {
    let source = ModelSource::new(&arguments.model, None)?;
    let choice = source.choose(&arguments.variant)?;
    let view = source.load(&choice, &arguments.variant, output)?.session.view()?;
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&view)
            .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write JSON: {source}")))?;
        json + "\n"
    } else {
        render(&view, &choice.name, &choice.model_file)
    };
    output.data(&text)?;
    Ok(0)
}

fn render(view: &GraphView, name: &str, file: &str) -> String {
    let versions: Vec<String> = view
        .opset
        .iter()
        .map(|(domain, version)| {
            format!(
                "{} {version}",
                if domain.is_empty() {
                    "ai.onnx".to_owned()
                } else {
                    printable(domain)
                }
            )
        })
        .collect();
    let batch = match view.batch_policy.batch {
        Batch::Dynamic => "dynamic",
        Batch::Static => "static",
    };
    let mut text = format!(
        "model: {name}, {file}\nprovider: {}\nbatch: {} ({})\nexact: {} ({})\nopset: {}\n",
        view.provider,
        batch,
        view.batch_policy.reason,
        if view.exactness.exact { "yes" } else { "no" },
        printable(&view.exactness.reason),
        versions.join(", ")
    );
    for (title, tensors) in [("inputs", &view.inputs), ("outputs", &view.outputs)] {
        render_tensors(&mut text, title, tensors);
    }
    text.push_str("ops:\n");
    for (op, count) in &view.ops {
        let _ = writeln!(text, "  {count:6}  {}", printable(op));
    }
    text
}

fn render_tensors(text: &mut String, title: &str, tensors: &[TensorInfo]) {
    let width = tensors
        .iter()
        .map(|tensor| tensor.name.chars().count())
        .max()
        .unwrap_or(0);
    let _ = writeln!(text, "{title}:");
    for TensorInfo { name, element, shape } in tensors {
        let shape: Vec<String> = shape
            .iter()
            .map(|dimension| match dimension {
                Dimension::Fixed(size) => size.to_string(),
                Dimension::Symbolic(symbol) => printable(symbol),
            })
            .collect();
        let _ = writeln!(
            text,
            "  {:width$}  {element:8}  [{}]",
            printable(name),
            shape.join(", ")
        );
    }
}
