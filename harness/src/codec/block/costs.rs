//! Owns the arithmetic of a writer's choice of offsets: what coding a token under each offset of a grid costs, in 2^-16 bits, and
//! which offset of a block is the cheapest.

use std::sync::LazyLock;

use crate::codec::grid::{Grid, TABLE_ENTRIES, bit_costs, cell_of_scaled, guard, position, probability_table};
use crate::codec::range_coder::{AdaptiveBit, PROBABILITY_ONE};
use crate::codec::tree::Decision;

/// Stands for a decision that is not safe under an offset. No block of safe decisions costs as much (4096 tokens of 20 decisions of
/// 16 bits are below 2^37), and a block of nothing but unsafe ones stays below 2^57.
const UNSAFE: u64 = 1 << 40;

/// The costs of bit 0 and of bit 1 by entry of the probability table.
static TABLE_COSTS: LazyLock<[[u32; TABLE_ENTRIES]; 2]> =
    LazyLock::new(|| [0, 1].map(|bit| probability_table().map(|p| bit_costs(u32::from(p))[bit])));

/// A decision's place on the scale of [`position`]: itself, and where whoever lies within eps may see it at most.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    lowest: f64,
    middle: f64,
    highest: f64,
    bit: bool,
}

impl Span {
    /// The span of a decision for an `eps` in nats.
    pub fn new(decision: Decision, eps: f64) -> Self {
        let guard = guard(eps);
        let v = decision.log_odds;
        Self {
            lowest: position(v - guard),
            middle: position(v),
            highest: position(v + guard),
            bit: decision.bit,
        }
    }
}

/// The costs of decisions under each offset of one grid.
#[derive(Clone, Copy, Debug)]
pub struct GridCosts {
    grid: Grid,
    offsets: u32,
}

impl GridCosts {
    /// The costs for `cells` cells and `offsets` offsets.
    pub fn new(cells: u32, offsets: u32, eps: f64) -> Self {
        Self {
            grid: Grid::new(cells, eps),
            offsets,
        }
    }

    /// The grid that these are the costs of.
    pub const fn grid(&self) -> Grid {
        self.grid
    }

    /// Adds what coding the decisions of one token costs under each offset to `costs`; [`UNSAFE`] at least where one is not safe.
    pub fn add(&self, spans: &[Span], costs: &mut [u64]) {
        let table = &*TABLE_COSTS;
        for span in spans {
            let lowest = self.grid.scaled(span.lowest);
            let middle = self.grid.scaled(span.middle);
            let highest = self.grid.scaled(span.highest);
            let table = &table[usize::from(span.bit)];
            for (k, cost) in (0..self.offsets).zip(costs.iter_mut()) {
                let safe = cell_of_scaled(lowest, k) == cell_of_scaled(highest, k);
                let index = self.grid.probability_index(cell_of_scaled(middle, k), k);
                *cost += if safe { u64::from(table[index as usize]) } else { UNSAFE };
            }
        }
    }
}

/// The adaptive bits that a lane's offset indices are coded with, and the state of its present block.
#[derive(Clone, Debug)]
pub struct BlockChooser {
    unary: Vec<AdaptiveBit>,
    unary_costs: Vec<[u32; 2]>,
    sums: Vec<u64>,
    raw: u64,
}

impl BlockChooser {
    /// The state at the start of a lane.
    pub fn new(offsets: u32) -> Self {
        let offsets = offsets as usize;
        let bit = AdaptiveBit::default();
        Self {
            unary: vec![bit; offsets],
            unary_costs: vec![bit_costs(bit.probability()); offsets],
            sums: vec![0; offsets],
            raw: 0,
        }
    }

    /// The adaptive bits as they stand.
    pub fn unary(&self) -> &[AdaptiveBit] {
        &self.unary
    }

    /// Adds a token to the block: its costs under each offset, and in raw bits.
    pub fn add(&mut self, costs: &[u64], depth: u32) {
        for (sum, cost) in self.sums.iter_mut().zip(costs) {
            *sum += cost;
        }
        self.raw += u64::from(PROBABILITY_ONE) * u64::from(depth);
    }

    /// The cheapest offset for the block, `K` being the escape, and the block's cost in 2^-16 bits.
    pub fn cheapest(&self) -> (u32, u64) {
        let mut best = None;
        let mut ones = 0;
        for ((k, &sum), costs) in (0..).zip(&self.sums).zip(&self.unary_costs) {
            let cost = ones + u64::from(costs[0]) + sum;
            if sum < UNSAFE && best.is_none_or(|(_, least)| cost < least) {
                best = Some((k, cost));
            }
            ones += u64::from(costs[1]);
        }
        let escape = (self.unary.len() as u32, ones + self.raw);
        best.filter(|&(_, least)| least <= escape.1).unwrap_or(escape)
    }

    /// Ends a block that was coded under offset index `k`.
    pub fn close(&mut self, k: u32) {
        for (i, bit) in (0..=k).zip(&mut self.unary) {
            bit.update(i < k);
            self.unary_costs[i as usize] = bit_costs(bit.probability());
        }
        self.sums.fill(0);
        self.raw = 0;
    }
}
