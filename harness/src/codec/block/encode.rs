//! Owns the writer's side of a lane: the choice of N and B for a frame, and the stream of a lane.

use super::costs::{BlockChooser, GridCosts, TokenSpans};
use super::{Parameters, candidates};
use crate::codec::arithmetic_coder::{BitEncoder, PROBABILITY_ONE};
use crate::codec::grid::Grid;
use crate::codec::lane_paths::{LanePaths, Token};
use crate::codec::tree::{Decision, tree_depth};

/// The N and B with which a frame's `lanes` cost least, for an `eps` in nats, `offsets` offsets and `vocab_size` ids. The compressor calls
/// the two parts of it apart, the first in several threads.
#[must_use]
pub fn choose_parameters(lanes: &[LanePaths], eps: f64, offsets: u32, vocab_size: usize) -> Parameters {
    let costs: Vec<Vec<u64>> = lanes
        .iter()
        .map(|lane| candidate_costs(lane, eps, offsets, vocab_size))
        .collect();
    cheapest_parameters(&costs, eps)
}

/// The first of the candidates for an `eps` in nats with which a frame costs least, from the [`candidate_costs`] of its lanes.
#[must_use]
pub fn cheapest_parameters(costs: &[Vec<u64>], eps: f64) -> Parameters {
    let candidates = candidates(eps);
    let total = |candidate: &usize| costs.iter().map(|lane| lane[*candidate]).sum::<u64>();
    let cheapest = (0..candidates.len()).min_by_key(total).unwrap_or(0);
    candidates[cheapest]
}

/// What a lane costs, in 2^-16 bits, with each of the [`candidates`] for an `eps` in nats, `offsets` offsets and `vocab_size` ids.
#[must_use]
pub fn candidate_costs(lane: &LanePaths, eps: f64, offsets: u32, vocab_size: usize) -> Vec<u64> {
    let depth = tree_depth(vocab_size);
    let candidates = candidates(eps);
    let mut grids: Vec<GridCosts> = candidates
        .chunk_by(|a, b| a.cells == b.cells)
        .map(|same| GridCosts::new(same[0].cells, offsets, eps))
        .collect();
    let mut totals = vec![0; candidates.len()];
    let blocks = candidates.len() / grids.len();
    let mut spans = TokenSpans::default();
    let mut choosers = vec![BlockChooser::new(offsets); candidates.len()];
    for index in 0..lane.len() {
        spans.take(lane, index, offsets, grids[0].grid());
        let mut states = candidates.iter().zip(&mut choosers).zip(&mut totals);
        for grid in &mut grids {
            let costs = grid.of(&spans);
            for ((candidate, chooser), total) in states.by_ref().take(blocks) {
                chooser.add(costs, depth);
                if (index + 1).is_multiple_of(candidate.block) || index + 1 == lane.len() {
                    let (k, cost) = chooser.cheapest();
                    chooser.close(k);
                    *total += cost;
                }
            }
        }
    }
    totals
}

/// The stream of a lane: each block under its cheapest offset.
#[must_use]
pub fn encode_lane(lane: &LanePaths, parameters: Parameters, eps: f64, offsets: u32, vocab_size: usize) -> Vec<u8> {
    let depth = tree_depth(vocab_size);
    let mut costs = GridCosts::new(parameters.cells, offsets, eps);
    let grid = costs.grid();
    let mut encoder = BitEncoder::new();
    let mut chooser = BlockChooser::new(offsets);
    let mut spans = TokenSpans::default();
    for start in (0..lane.len()).step_by(parameters.block) {
        let block = start..lane.len().min(start + parameters.block);
        for index in block.clone() {
            spans.take(lane, index, offsets, grid);
            chooser.add(costs.of(&spans), depth);
        }
        let (k, _) = chooser.cheapest();
        for (i, bit) in (0..=k).zip(chooser.unary()) {
            encoder.encode(i < k, bit.probability());
        }
        chooser.close(k);
        for index in block {
            let Token { id, lead, .. } = lane.tokens[index];
            if k == offsets {
                for shift in (0..depth).rev() {
                    encoder.encode((id >> shift) & 1 == 1, PROBABILITY_ONE / 2);
                }
            } else if grid.leads(lead, k) {
                encode_decisions(&mut encoder, grid, k, lane.leader_decisions(index));
            } else {
                encode_decisions(&mut encoder, grid, k, lane.plain_decisions(index));
            }
        }
    }
    encoder.finish()
}

fn encode_decisions(encoder: &mut BitEncoder, grid: Grid, k: u32, decisions: impl Iterator<Item = Decision>) {
    for Decision { bit, log_odds } in decisions {
        encoder.encode(bit, grid.probability(grid.cell(log_odds, k), k));
    }
}
