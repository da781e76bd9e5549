//! Owns the element types of a graph's values: those of its inputs and initializers, and what follows from them node by node. The
//! ops are those of exact graphs (`exactness`), for which the rules are few.

use std::collections::HashMap;

use crate::model::graph::declarations::{BOOL, ElementCode, FLOAT32, INT32, INT64, UINT8, element_of, text, text_at};
use crate::model::graph::wire::{Fields, Value};
use crate::{Error, ErrorCode, Result};

/// A `NodeProto`, as far as types follow from it.
#[derive(Debug, Default)]
pub(super) struct Node<'g> {
    /// The operation.
    pub op: &'g str,
    /// The names of what it takes; empty for what is left out.
    pub inputs: Vec<&'g str>,
    /// The names of what it gives.
    pub outputs: Vec<&'g str>,
    attributes: Vec<&'g [u8]>,
}

impl<'g> Node<'g> {
    /// Reads the bytes of a `NodeProto`.
    pub fn parse(bytes: &'g [u8]) -> Result<Self> {
        let mut node = Self::default();
        for field in Fields::new(bytes) {
            match field? {
                (1, Value::Bytes(name)) => node.inputs.push(text(name)?),
                (2, Value::Bytes(name)) => node.outputs.push(text(name)?),
                (4, Value::Bytes(op)) => node.op = text(op)?,
                (5, Value::Bytes(attribute)) => node.attributes.push(attribute),
                _ => {}
            }
        }
        Ok(node)
    }

    /// Field `number` of the attribute `name`.
    fn attribute(&self, name: &str, number: u64) -> Result<Option<Value<'g>>> {
        for attribute in &self.attributes {
            if text_at(attribute, 1)? != name {
                continue;
            }
            for field in Fields::new(attribute) {
                if let (at, value) = field?
                    && at == number
                {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }

    fn element_attribute(&self, name: &str) -> Result<Option<ElementCode>> {
        Ok(match self.attribute(name, INTEGER)? {
            Some(Value::Varint(code)) if code != 0 => Some(code),
            _ => None,
        })
    }

    fn tensor_attribute(&self, name: &str) -> Result<Option<ElementCode>> {
        match self.attribute(name, TENSOR)? {
            Some(Value::Bytes(tensor)) => tensor_element(tensor).map(Some),
            _ => Ok(None),
        }
    }
}

/// Fields of an `AttributeProto`.
const INTEGER: u64 = 3;
const INTEGERS: u64 = 8;
const TENSOR: u64 = 5;

/// The element type of every value that is known so far, by name.
#[derive(Debug, Default)]
pub(super) struct Types<'g>(HashMap<&'g str, ElementCode>);

impl<'g> Types<'g> {
    /// Those of a `GraphProto`'s inputs and initializers.
    pub fn of_ends(graph: &'g [u8]) -> Result<Self> {
        let mut types = HashMap::new();
        for field in Fields::new(graph) {
            match field? {
                (5, Value::Bytes(tensor)) => {
                    types.insert(text_at(tensor, 8)?, tensor_element(tensor)?);
                }
                (11, Value::Bytes(info)) => {
                    let (name, element) = element_of(info)?;
                    types.insert(name, element);
                }
                _ => {}
            }
        }
        Ok(Self(types))
    }

    /// The type of a value; none while it is not known.
    pub fn of(&self, name: &str) -> Option<ElementCode> {
        self.0.get(name).copied()
    }

    /// Takes in the next node, whose inputs must be known.
    ///
    /// # Errors
    /// `model` when they are not.
    pub fn add(&mut self, node: &Node<'g>) -> Result<()> {
        let input = |index: usize| {
            let name = node.inputs.get(index).copied().unwrap_or_default();
            self.of(name).ok_or_else(|| unknown(node, name))
        };
        let element = match node.op {
            "Cast" => node.element_attribute("to")?.ok_or_else(|| unknown(node, "to"))?,
            "Constant" => match node.tensor_attribute("value")? {
                Some(element) => element,
                None if node.attribute("value_int", INTEGER)?.is_some() => INT64,
                None if node.attribute("value_ints", INTEGERS)?.is_some() => INT64,
                None => FLOAT32,
            },
            "ConstantOfShape" => node.tensor_attribute("value")?.unwrap_or(FLOAT32),
            "Shape" => INT64,
            "MatMulInteger" => INT32,
            "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "And" | "Or" | "Not" => BOOL,
            "QuantizeLinear" => match node.element_attribute("output_dtype")? {
                Some(element) => element,
                None if node.inputs.get(2).is_some_and(|name| !name.is_empty()) => input(2)?,
                None => UINT8,
            },
            "DequantizeLinear" => match node.element_attribute("output_dtype")? {
                Some(element) => element,
                None => input(1)?,
            },
            "Where" => input(1)?,
            _ => input(0)?,
        };
        self.0.extend(node.outputs.iter().map(|&output| (output, element)));
        Ok(())
    }
}

/// The element type of a `TensorProto`.
fn tensor_element(tensor: &[u8]) -> Result<ElementCode> {
    let mut element = 0;
    for field in Fields::new(tensor) {
        if let (2, Value::Varint(code)) = field? {
            element = code;
        }
    }
    Ok(element)
}

fn unknown(node: &Node<'_>, what: &str) -> Error {
    Error::new(
        ErrorCode::Model,
        format!(
            "the graph cannot be driven: {what:?} of a node {} has no type that is known before it",
            node.op
        ),
    )
    .with_hint("use a graph whose nodes come after what they take")
}
