//! Owns the translation of what ONNX Runtime says of inputs and outputs into the project's own terms.

use ort::value::{Outlet, TensorElementType, ValueType};

use crate::model::graph::{Dimension, TensorInfo};
use crate::{Error, ErrorCode, Result};

/// The tensors that a session declares.
pub(super) fn tensors(outlets: &[Outlet]) -> Result<Vec<TensorInfo>> {
    outlets.iter().map(tensor).collect()
}

fn tensor(outlet: &Outlet) -> Result<TensorInfo> {
    let ValueType::Tensor {
        ty,
        shape,
        dimension_symbols,
    } = outlet.dtype()
    else {
        let message = format!("the graph cannot be driven: {} is not a tensor", outlet.name());
        return Err(Error::new(ErrorCode::Model, message).with_hint("use an export of a decoder with a cache"));
    };
    let dimension = |(axis, &size): (usize, &i64)| match u64::try_from(size) {
        Ok(size) => Dimension::Fixed(size),
        Err(_) => Dimension::Symbolic(dimension_symbols.get(axis).cloned().unwrap_or_default()),
    };
    Ok(TensorInfo {
        name: outlet.name().to_owned(),
        element: element_name(*ty).to_owned(),
        shape: shape.iter().enumerate().map(dimension).collect(),
    })
}

/// The names that NumPy gives the element types.
fn element_name(element: TensorElementType) -> &'static str {
    match element {
        TensorElementType::Float32 => "float32",
        TensorElementType::Float16 => "float16",
        TensorElementType::Bfloat16 => "bfloat16",
        TensorElementType::Float64 => "float64",
        TensorElementType::Int8 => "int8",
        TensorElementType::Int16 => "int16",
        TensorElementType::Int32 => "int32",
        TensorElementType::Int64 => "int64",
        TensorElementType::Uint8 => "uint8",
        TensorElementType::Uint16 => "uint16",
        TensorElementType::Uint32 => "uint32",
        TensorElementType::Uint64 => "uint64",
        TensorElementType::Bool => "bool",
        TensorElementType::String => "string",
        _ => "other",
    }
}
