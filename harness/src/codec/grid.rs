//! Owns the way from log-odds to an integer probability (FORMAT.md section 6) and the cost of coding with one (section 8). It
//! knows nothing of trees or streams.

use std::f64::consts::PI;

use crate::codec::arithmetic_coder::PROBABILITY_ONE;

/// How many entries the probability table has.
pub const TABLE_ENTRIES: usize = 4096;

/// The most cells that a grid may have; the fewest are 2.
pub const MAX_CELLS: u32 = 4096;

/// The most offsets that a grid may have; the fewest are 1.
pub const MAX_OFFSETS: u32 = 64;

/// Covers what exp, ln, atan and the order of summation add to the reader's distance from the writer.
const SLACK: f64 = 1.0 / (1u64 << 30) as f64;

/// Up to this eps, in nats, the bound behind [`Grid::leader_guard`] holds.
const LARGEST_TIGHT_EPS: f64 = 0.25;

/// Log-odds beyond this, either way, have the position of this.
const LIMIT: f64 = 30.0;

/// Offsets are in 65536ths of a cell.
const OFFSET_BITS: u32 = 16;

static PROBABILITY_TABLE: [u16; TABLE_ENTRIES] =
    parse_table(include_bytes!("../../../golden/codec/probability_table.bin"));

const fn parse_table(bytes: &[u8; 2 * TABLE_ENTRIES]) -> [u16; TABLE_ENTRIES] {
    let mut table = [0; TABLE_ENTRIES];
    let mut i = 0;
    while i < TABLE_ENTRIES {
        table[i] = u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]);
        i += 1;
    }
    table
}

/// The 4096 probabilities of bit 1, in 65536ths, `1 ..= 65535`. They are data, the same in all languages.
#[must_use]
pub fn probability_table() -> &'static [u16; TABLE_ENTRIES] {
    &PROBABILITY_TABLE
}

/// The cost, in 2^-16 bits, of coding an event whose probability is `p` 65536ths, `1 ..= 65535`.
#[must_use]
pub const fn bit_cost(p: u32) -> u32 {
    let mut x = p;
    let mut n = 1;
    while x < 1 << 15 {
        x *= 2;
        n += 1;
    }
    let mut f = 0;
    let mut i = 0;
    while i < 16 {
        x = (x * x) >> 15;
        f *= 2;
        if x >= 1 << 16 {
            x >>= 1;
            f += 1;
        }
        i += 1;
    }
    n * 65536 - f
}

/// Offset `k` in 65536ths of a cell: multiples of the golden ratio.
#[must_use]
pub const fn offset_numerator(k: u32) -> u32 {
    (k * 40503) % (1 << OFFSET_BITS)
}

/// Where log-odds `v` lie on the grid's scale, in `0.0 ..= 1.0`.
#[must_use]
pub fn position(v: f64) -> f64 {
    (2.0 / PI) * (v.clamp(-LIMIT, LIMIT) / 3.0).exp().atan()
}

/// A grid of `cells` cells over the scale of [`position`], for log-probs within `eps`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    cells: u32,
    eps: f64,
}

impl Grid {
    /// A grid of `cells` (`2 ..= 4096`) cells for an `eps` in nats.
    #[must_use]
    pub const fn new(cells: u32, eps: f64) -> Self {
        Self { cells, eps }
    }

    /// `N`, the number of cells.
    #[must_use]
    pub const fn cells(self) -> u32 {
        self.cells
    }

    /// The cell of log-odds `v` under offset `k`, from -1 to N.
    #[must_use]
    pub fn cell(self, v: f64, k: u32) -> i32 {
        cell_of_scaled(self.scaled(position(v)), k)
    }

    /// How far the log-odds of a step in the tree may lie apart for log-probs within eps.
    #[must_use]
    pub const fn guard(self) -> f64 {
        2.0 * self.eps + SLACK
    }

    /// How far the leader's log-odds, `v` to the writer, may lie apart for log-probs within eps. The leader and the others share the whole
    /// mass: where the larger part grows by a factor the smaller must shrink, so little is added to what the smaller part moves by.
    #[must_use]
    pub fn leader_guard(self, v: f64) -> f64 {
        let eps = self.eps;
        if eps > LARGEST_TIGHT_EPS {
            return self.guard();
        }
        (2.0 * eps).min(eps + eps * (1.0 + 4.0 * eps) * (-v.abs()).exp()) + SLACK
    }

    /// Whether whoever lies within `guard` of log-odds `v` finds the same cell as [`Grid::cell`].
    #[must_use]
    pub fn is_safe(self, v: f64, k: u32, guard: f64) -> bool {
        self.cell(v - guard, k) == self.cell(v + guard, k)
    }

    /// Whether a token whose row has this `lead`, in nats, is coded as leader or not under offset `k`.
    #[must_use]
    pub fn leads(self, lead: f64, k: u32) -> bool {
        lead > least_lead(k)
    }

    /// Whether whoever lies within eps answers [`Grid::leads`] alike, and names the same leader where the answer is yes.
    #[must_use]
    pub fn leads_safely(self, lead: f64, k: u32) -> bool {
        (lead - least_lead(k)).abs() > self.guard()
    }

    /// Which entry of the table cell `c` under offset `k` has: its middle in 4096ths, `0 ..= 4095`.
    #[must_use]
    pub fn probability_index(self, c: i32, k: u32) -> u32 {
        // At most 2^28, and their sum at most 2^29.
        let end = (self.cells << OFFSET_BITS) as i32;
        let lo = (c << OFFSET_BITS) + offset_numerator(k) as i32;
        let hi = lo + (1 << OFFSET_BITS);
        let middle = (lo.clamp(0, end) + hi.clamp(0, end)) as u32 / (32 * self.cells);
        middle.min(TABLE_ENTRIES as u32 - 1)
    }

    /// The probability of bit 1 in 65536ths for cell `c` under offset `k`.
    #[must_use]
    pub fn probability(self, c: i32, k: u32) -> u32 {
        u32::from(PROBABILITY_TABLE[self.probability_index(c, k) as usize])
    }

    /// A position in 65536ths of a cell, rounded down. `floor(N * position - o_k)` is [`cell_of_scaled`] of it, exactly: the product
    /// with a power of two is exact, and `floor(x) < n` whenever `x < n` for an integer n.
    #[must_use]
    pub fn scaled(self, position: f64) -> i32 {
        // Never negative, at most 4096 * 65536: the cast is the floor.
        (f64::from(self.cells) * position * 65536.0) as i32
    }
}

/// Which cell a result of [`Grid::scaled`] lies in under offset `k`.
#[must_use]
pub const fn cell_of_scaled(scaled: i32, k: u32) -> i32 {
    (scaled - offset_numerator(k) as i32) >> OFFSET_BITS
}

/// What a lead must be above for [`Grid::leads`] under offset `k`.
fn least_lead(k: u32) -> f64 {
    1.0 + f64::from(offset_numerator(k)) / f64::from(1 << OFFSET_BITS)
}

/// The costs of both bits, in 2^-16 bits, where the probability of 1 is `p` 65536ths: `[bit 0, bit 1]`.
#[must_use]
pub const fn bit_costs(p: u32) -> [u32; 2] {
    [bit_cost(PROBABILITY_ONE - p), bit_cost(p)]
}

#[cfg(test)]
mod tests;
