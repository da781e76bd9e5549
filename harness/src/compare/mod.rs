//! Owns the judgement of two runners' rows: how far apart they are, and what is allowed between them. This is where a
//! log-prob is compared. It asks no runner and prints nothing.

pub mod classes;
pub mod histogram;
pub mod rows;
pub mod stats;

pub use classes::{Classes, PairClass};
pub use rows::RowsFile;
pub use stats::{CodedStats, Divergence, PairStats, Place, compare, compare_coded};
