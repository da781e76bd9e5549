//! Owns a lane's blocks: the choice of N, B and offsets, and the way of a lane's tokens into its stream and back (FORMAT.md sections 7
//! and 8). It knows nothing of containers, nor of where rows come from.

mod costs;
mod decode;
mod encode;

pub use decode::LaneDecoder;
pub use encode::{candidate_costs, cheapest_parameters, choose_parameters, encode_lane};

/// The largest block length.
pub const MAX_BLOCK: usize = 4096;

/// `K` of a writer: how many offsets it tries.
pub const WRITER_OFFSETS: u32 = 32;

/// What a frame's lanes are coded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// `N`, the cells of the grid, `2 ..= 4096`.
    pub cells: u32,
    /// `B`, the tokens of a block, `1 ..= 4096`.
    pub block: usize,
}

/// The values of N and B that a writer tries for an `eps` in nats, in the order in which the first of the cheapest wins.
#[must_use]
pub fn candidates(eps: f64) -> Vec<Parameters> {
    const LADDER: [u32; 21] = [
        2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048,
    ];
    let wide_enough = |&n: &u32| f64::from(n) * f64::from(n) * f64::from(n) * eps >= 1.0;
    let place = LADDER.iter().position(wide_enough).unwrap_or(LADDER.len() - 1);
    let blocks: &[usize] = if LADDER[place] <= 12 {
        &[4, 8, 16, 32, 64]
    } else {
        &[64, 128, 256, 512, 1024, 2048, 4096]
    };
    let cells = &LADDER[place.saturating_sub(1)..LADDER.len().min(place + 2)];
    cells
        .iter()
        .flat_map(|&cells| blocks.iter().map(move |&block| Parameters { cells, block }))
        .collect()
}

#[cfg(test)]
mod tests;
