//! Owns the key/value cache between passes: empty at first, then the graph's own present outputs, handed back without a
//! copy.

use half::{bf16, f16};
use ort::memory::Allocator;
use ort::value::{DynTensor, DynValue, PrimitiveTensorElementType, Tensor, TensorElementType};

use super::passes::{cache_shape, check_kept, check_present};
use super::session::run_failed;
use super::signature::CacheSlot;
use crate::{Error, ErrorCode, Result};

/// The cache of a batch of lanes.
#[derive(Debug)]
pub(super) struct Cache {
    slots: Vec<CacheSlot>,
    values: Vec<DynValue>,
    batch: usize,
    length: usize,
}

impl Cache {
    /// An empty cache of one lane.
    pub fn new(slots: Vec<CacheSlot>) -> Result<Self> {
        let mut cache = Self {
            slots,
            values: Vec::new(),
            batch: 0,
            length: 0,
        };
        cache.reset(1)?;
        Ok(cache)
    }

    /// The number of lanes.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The number of past positions.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The tensors to feed, in the order of the slots.
    pub fn values(&self) -> &[DynValue] {
        &self.values
    }

    /// Forgets everything; `batch` lanes start at position 0.
    pub fn reset(&mut self, batch: usize) -> Result<()> {
        let allocator = Allocator::default();
        let empty = |slot: &CacheSlot| {
            let element = element_type(&slot.element)?;
            let shape = cache_shape(slot, batch, 0);
            DynTensor::new(&allocator, element, shape)
                .map(DynTensor::into_dyn)
                .map_err(|error| run_failed(&error))
        };
        self.values = self.slots.iter().map(empty).collect::<Result<_>>()?;
        self.batch = batch;
        self.length = 0;
        Ok(())
    }

    /// Takes the present outputs of a pass over `added` new positions, in the order of the slots.
    pub fn advance(&mut self, present: Vec<DynValue>, added: usize) -> Result<()> {
        let length = self.length + added;
        for (slot, value) in self.slots.iter().zip(&present) {
            let shape = value.dtype().tensor_shape().map_or(&[][..], |shape| shape);
            check_present(slot, shape, self.batch, length)?;
        }
        self.values = present;
        self.length = length;
        Ok(())
    }

    /// Keeps the first `batch` lanes.
    pub fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        if batch == self.batch {
            return Ok(());
        }
        check_kept(batch, self.batch)?;
        let keep = |(slot, value): (&CacheSlot, &DynValue)| {
            let shape = cache_shape(slot, batch, self.length);
            match element_type(&slot.element)? {
                TensorElementType::Float32 => prefix::<f32>(value, shape),
                TensorElementType::Float16 => prefix::<f16>(value, shape),
                TensorElementType::Bfloat16 => prefix::<bf16>(value, shape),
                TensorElementType::Uint8 => prefix::<u8>(value, shape),
                TensorElementType::Int8 => prefix::<i8>(value, shape),
                _ => prefix::<i32>(value, shape),
            }
        };
        self.values = self.slots.iter().zip(&self.values).map(keep).collect::<Result<_>>()?;
        self.batch = batch;
        Ok(())
    }
}

/// The first lanes of a tensor: dimension 0 is the batch, so they are its first elements.
fn prefix<T>(value: &DynValue, shape: Vec<i64>) -> Result<DynValue>
where
    T: PrimitiveTensorElementType + Copy + std::fmt::Debug + 'static,
{
    let (_, data) = value.try_extract_tensor::<T>().map_err(|error| run_failed(&error))?;
    let count = shape.iter().product::<i64>() as usize;
    let kept = Tensor::from_array((shape, data[..count].to_vec())).map_err(|error| run_failed(&error))?;
    Ok(kept.into_dyn())
}

fn element_type(name: &str) -> Result<TensorElementType> {
    Ok(match name {
        "float32" => TensorElementType::Float32,
        "float16" => TensorElementType::Float16,
        "bfloat16" => TensorElementType::Bfloat16,
        "uint8" => TensorElementType::Uint8,
        "int8" => TensorElementType::Int8,
        "int32" => TensorElementType::Int32,
        other => {
            let message = format!("the graph cannot be driven: its cache holds {other}");
            return Err(Error::new(ErrorCode::Model, message)
                .with_hint("use an export whose cache is float32, float16, bfloat16, uint8, int8 or int32"));
        }
    })
}
