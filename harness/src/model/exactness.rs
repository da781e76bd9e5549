//! Owns whether a graph is taken as exact: its logits are the same bits on every engine, in every plan (EXACT.md). It knows the
//! ops that may occur and what relies on exactness; the full proof is the checker's, when the graph is built.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorCode, Result};

/// The key of a graph's `metadata_props` that says which rules it keeps.
pub const METADATA_KEY: &str = "llmzip.exact";
/// The version of the rules that is known here.
pub const RULES_VERSION: &str = "1";
/// The ops of the default domain that an exact graph may have.
pub const EXACT_OPS: [&str; 44] = [
    "Abs",
    "Add",
    "And",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "DequantizeLinear",
    "Div",
    "Equal",
    "Expand",
    "Floor",
    "Gather",
    "Greater",
    "GreaterOrEqual",
    "Identity",
    "Less",
    "LessOrEqual",
    "MatMulInteger",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "QuantizeLinear",
    "Range",
    "ReduceMax",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Round",
    "Shape",
    "Slice",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
];
/// Of a version that is not known, as much as a message needs.
const SHOWN_VERSION: usize = 40;

/// Whether a source's logits are the same bits everywhere, and why or why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exactness {
    /// Whether they are.
    pub exact: bool,
    /// Why.
    pub reason: String,
}

impl Exactness {
    /// Not exact, for this reason.
    #[must_use]
    pub fn no(reason: String) -> Self {
        Self { exact: false, reason }
    }

    /// Holds a container with eps 0 to what it relies on.
    ///
    /// # Errors
    /// `unsupported` unless the logits are the same bits everywhere.
    pub fn require(&self) -> Result<()> {
        if self.exact {
            return Ok(());
        }
        let message = format!(
            "eps 0 relies on logits that are the same bits everywhere, but {}",
            self.reason
        );
        Err(Error::new(ErrorCode::Unsupported, message).with_hint("use the model's variant exact, or an eps above 0"))
    }
}

/// Judges a graph by its `metadata_props` and the ops of all its nodes, as `op` or `domain::op`.
#[must_use]
pub fn read_exactness<'a>(metadata: &BTreeMap<String, String>, ops: impl IntoIterator<Item = &'a String>) -> Exactness {
    let Some(version) = metadata.get(METADATA_KEY) else {
        return Exactness::no("the graph does not say that it is exact".to_owned());
    };
    if version != RULES_VERSION {
        let shown: String = version.chars().take(SHOWN_VERSION).collect();
        return Exactness::no(format!(
            "the graph follows version {shown} of the rules, which this runner does not know"
        ));
    }
    if let Some(op) = ops.into_iter().filter(|op| !EXACT_OPS.contains(&op.as_str())).min() {
        return Exactness::no(format!("the graph says that it is exact, but has the op {op}"));
    }
    Exactness {
        exact: true,
        reason: format!("the graph says so ({METADATA_KEY} {RULES_VERSION}) and has only exact ops"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Option<&str>, ops: &[&str], expected: bool, reason: &str) {
        let metadata = version.map(|version| (METADATA_KEY.to_owned(), version.to_owned()));
        let ops: Vec<String> = ops.iter().map(|&op| op.to_owned()).collect();
        let found = read_exactness(&metadata.into_iter().collect(), &ops);
        assert_eq!((found.exact, found.reason.as_str()), (expected, reason));
        assert_eq!(found.require().is_ok(), expected);
    }

    #[test]
    fn a_graph_is_exact_that_says_so_and_has_only_exact_ops() {
        check(
            Some("1"),
            &["MatMulInteger", "Where"],
            true,
            "the graph says so (llmzip.exact 1) and has only exact ops",
        );
        check(
            None,
            &["MatMulInteger"],
            false,
            "the graph does not say that it is exact",
        );
        check(
            Some("2"),
            &[],
            false,
            "the graph follows version 2 of the rules, which this runner does not know",
        );
        check(
            Some("1"),
            &["Mul", "Softmax", "Exp"],
            false,
            "the graph says that it is exact, but has the op Exp",
        );
        check(
            Some("1"),
            &["com.microsoft::MatMulNBits"],
            false,
            "the graph says that it is exact, but has the op com.microsoft::MatMulNBits",
        );
    }
}
