//! Owns the cache of one `past_key_values` input between passes, as plain numbers: whatever rten lays out in memory, lanes are its first
//! dimension.

use rten::{Value, ValueOrView, ValueView};

use super::run_failed;
use crate::model::passes::{cache_shape, check_present};
use crate::model::signature::CacheSlot;
use crate::{Error, ErrorCode, Result};

/// The values of a cache, row-major.
#[derive(Debug)]
pub(super) enum Past {
    Float32(Vec<f32>),
    Uint8(Vec<u8>),
    Int8(Vec<i8>),
    Int32(Vec<i32>),
}

/// The dimensions of every cache that decoders have.
const RANK: usize = 4;

impl Past {
    /// Of no positions.
    pub fn empty(slot: &CacheSlot) -> Result<Self> {
        match (slot.element.as_str(), slot.shape.len()) {
            ("float32", RANK) => Ok(Self::Float32(Vec::new())),
            ("uint8", RANK) => Ok(Self::Uint8(Vec::new())),
            ("int8", RANK) => Ok(Self::Int8(Vec::new())),
            ("int32", RANK) => Ok(Self::Int32(Vec::new())),
            (element, rank) => Err(Error::new(
                ErrorCode::Model,
                format!("the graph cannot be driven: its cache holds {element} in {rank} dimensions"),
            )
            .with_hint("rten takes caches of float32, uint8, int8 or int32 in 4 dimensions")),
        }
    }

    /// What a present output of `batch` lanes and `length` positions holds.
    pub fn take(present: Value, slot: &CacheSlot, batch: usize, length: usize) -> Result<Self> {
        fn checked<T>(
            parts: std::result::Result<([usize; RANK], Vec<T>), rten::TryFromValueError>,
            slot: &CacheSlot,
            batch: usize,
            length: usize,
        ) -> Result<Vec<T>> {
            let (shape, values) = parts.map_err(|error| run_failed(&error))?;
            check_present(slot, &shape.map(|size| size as i64), batch, length)?;
            Ok(values)
        }
        Ok(match slot.element.as_str() {
            "float32" => Self::Float32(checked(present.into_shape_vec(), slot, batch, length)?),
            "uint8" => Self::Uint8(checked(present.into_shape_vec(), slot, batch, length)?),
            "int8" => Self::Int8(checked(present.into_shape_vec(), slot, batch, length)?),
            _ => Self::Int32(checked(present.into_shape_vec(), slot, batch, length)?),
        })
    }

    /// What is fed, of `batch` lanes and `length` positions.
    pub fn view(&self, slot: &CacheSlot, batch: usize, length: usize) -> Result<ValueOrView<'_>> {
        let shape: Vec<usize> = cache_shape(slot, batch, length)
            .iter()
            .map(|&size| size as usize)
            .collect();
        let view = match self {
            Self::Float32(values) => ValueView::from_shape(shape, values).map_err(|error| run_failed(&error)),
            Self::Uint8(values) => ValueView::from_shape(shape, values).map_err(|error| run_failed(&error)),
            Self::Int8(values) => ValueView::from_shape(shape, values).map_err(|error| run_failed(&error)),
            Self::Int32(values) => ValueView::from_shape(shape, values).map_err(|error| run_failed(&error)),
        };
        view.map(Into::into)
    }

    /// Keeps the first `batch` lanes of `length` positions.
    pub fn keep(&mut self, slot: &CacheSlot, batch: usize, length: usize) {
        let count = cache_shape(slot, batch, length).iter().product::<i64>() as usize;
        match self {
            Self::Float32(values) => values.truncate(count),
            Self::Uint8(values) => values.truncate(count),
            Self::Int8(values) => values.truncate(count),
            Self::Int32(values) => values.truncate(count),
        }
    }
}
