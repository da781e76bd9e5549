//! Owns numbers on their way into the runtime's tensors and out of them.

use ort::value::{DynValue, PrimitiveTensorElementType, Tensor};

use super::run_failed;
use crate::Result;
use crate::model::signature::IndexType;

/// A tensor of ids, positions or a mask.
pub(super) fn index_tensor(kind: IndexType, shape: [usize; 2], values: impl Iterator<Item = u32>) -> Result<DynValue> {
    let tensor = match kind {
        IndexType::Int64 => {
            Tensor::from_array((shape, values.map(i64::from).collect::<Vec<_>>())).map(Tensor::into_dyn)
        }
        IndexType::Int32 => {
            Tensor::from_array((shape, values.map(|value| value as i32).collect::<Vec<_>>())).map(Tensor::into_dyn)
        }
    };
    tensor.map_err(|error| run_failed(&error))
}

/// The numbers of a tensor, where they lie.
pub(super) fn extract<T: PrimitiveTensorElementType>(value: &DynValue) -> Result<&[T]> {
    let (_, data) = value.try_extract_tensor::<T>().map_err(|error| run_failed(&error))?;
    Ok(data)
}

/// `[batch, length, vocab_size]` of runs that are each `[batch, 1, vocab_size]`.
pub(super) fn interleave<T>(runs: &[DynValue], batch: usize, vocab_size: usize) -> Result<Vec<T>>
where
    T: PrimitiveTensorElementType + Copy,
{
    let runs = runs.iter().map(extract::<T>).collect::<Result<Vec<_>>>()?;
    let mut whole = Vec::with_capacity(runs.len() * batch * vocab_size);
    for lane in 0..batch {
        for run in &runs {
            whole.extend_from_slice(&run[lane * vocab_size..][..vocab_size]);
        }
    }
    Ok(whole)
}
