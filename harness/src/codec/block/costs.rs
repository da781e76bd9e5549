//! Owns the arithmetic of a writer's choice of offsets: what coding a token under each offset of a grid costs, in 2^-16 bits, and
//! which offset of a block is the cheapest.

use std::sync::LazyLock;

use crate::codec::arithmetic_coder::{AdaptiveBit, PROBABILITY_ONE};
use crate::codec::grid::{Grid, TABLE_ENTRIES, bit_costs, cell_of_scaled, position, probability_table};
use crate::codec::lane_paths::LanePaths;
use crate::codec::tree::Decision;

/// Stands for what is not safe under an offset. No block of safe decisions costs as much (4096 tokens of 21 decisions of
/// 16 bits are below 2^37), and a block of nothing but these stays below 2^57.
const UNSAFE: u64 = 1 << 40;

/// The costs of bit 0 and of bit 1 by entry of the probability table.
static TABLE_COSTS: LazyLock<[[u32; TABLE_ENTRIES]; 2]> =
    LazyLock::new(|| [0, 1].map(|bit| probability_table().map(|p| bit_costs(u32::from(p))[bit])));

/// A decision's place on the scale of [`position`]: itself, and where whoever lies within eps may see it at most.
#[derive(Clone, Copy, Debug)]
struct Span {
    lowest: f64,
    middle: f64,
    highest: f64,
    bit: bool,
}

impl Span {
    fn new(decision: Decision, guard: f64) -> Self {
        let v = decision.log_odds;
        Self {
            lowest: position(v - guard),
            middle: position(v),
            highest: position(v + guard),
            bit: decision.bit,
        }
    }
}

/// How a token is coded under an offset.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// As leader or not.
    Leader,
    /// In the tree of all ids.
    Plain,
    /// Not at all: whoever lies within eps may see the other form.
    Unsafe,
}

/// The spans of one token's decisions, and how it is coded under each offset. They are the same for all grids of one eps.
#[derive(Clone, Debug, Default)]
pub struct TokenSpans {
    leader: Vec<Span>,
    plain: Vec<Span>,
    forms: Vec<Form>,
}

impl TokenSpans {
    /// Takes in token `index` of `lane`, in place of what is there.
    pub fn take(&mut self, lane: &LanePaths, index: usize, offsets: u32, grid: Grid) {
        self.leader.clear();
        let mut decisions = lane.leader_decisions(index);
        if let Some(decision) = decisions.next() {
            let guard = grid.leader_guard(decision.log_odds);
            self.leader.push(Span::new(decision, guard));
        }
        let guard = grid.guard();
        self.leader.extend(decisions.map(|decision| Span::new(decision, guard)));
        self.plain.clear();
        self.plain
            .extend(lane.plain_decisions(index).map(|decision| Span::new(decision, guard)));
        let lead = lane.tokens[index].lead;
        self.forms.clear();
        self.forms.extend(
            (0..offsets).map(|k| match (grid.leads_safely(lead, k), grid.leads(lead, k)) {
                (false, _) => Form::Unsafe,
                (true, true) => Form::Leader,
                (true, false) => Form::Plain,
            }),
        );
    }
}

/// The costs of tokens under each offset of one grid.
#[derive(Clone, Debug)]
pub struct GridCosts {
    grid: Grid,
    leader: Vec<u64>,
    plain: Vec<u64>,
}

impl GridCosts {
    /// The costs for `cells` cells and `offsets` offsets.
    pub fn new(cells: u32, offsets: u32, eps: f64) -> Self {
        let zeros = vec![0; offsets as usize];
        Self {
            grid: Grid::new(cells, eps),
            leader: zeros.clone(),
            plain: zeros,
        }
    }

    /// The grid that these are the costs of.
    pub const fn grid(&self) -> Grid {
        self.grid
    }

    /// What coding a token costs under each offset; [`UNSAFE`] at least where anything is not safe.
    pub fn of(&mut self, token: &TokenSpans) -> &[u64] {
        self.leader.fill(0);
        self.plain.fill(0);
        add(self.grid, &token.leader, &mut self.leader);
        add(self.grid, &token.plain, &mut self.plain);
        for ((cost, &plain), form) in self.leader.iter_mut().zip(&self.plain).zip(&token.forms) {
            *cost = match form {
                Form::Leader => *cost,
                Form::Plain => plain,
                Form::Unsafe => UNSAFE,
            };
        }
        &self.leader
    }
}

/// Adds what coding decisions costs under each offset to `costs`; [`UNSAFE`] at least where one is not safe.
fn add(grid: Grid, spans: &[Span], costs: &mut [u64]) {
    let table = &*TABLE_COSTS;
    for span in spans {
        let lowest = grid.scaled(span.lowest);
        let middle = grid.scaled(span.middle);
        let highest = grid.scaled(span.highest);
        let table = &table[usize::from(span.bit)];
        for (k, cost) in (0..).zip(costs.iter_mut()) {
            let safe = cell_of_scaled(lowest, k) == cell_of_scaled(highest, k);
            let index = grid.probability_index(cell_of_scaled(middle, k), k);
            *cost += if safe { u64::from(table[index as usize]) } else { UNSAFE };
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
