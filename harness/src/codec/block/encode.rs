//! Owns the writer's side of a lane: the choice of N and B for a frame, and the stream of a lane.

use super::costs::{BlockChooser, GridCosts, Span};
use super::{LanePaths, Parameters, candidates};
use crate::codec::range_coder::{BitEncoder, PROBABILITY_ONE};
use crate::codec::tree::tree_depth;

/// The N and B with which a frame's `lanes` cost least, for an `eps` in nats, `offsets` offsets and `vocab_size` ids.
#[must_use]
pub fn choose_parameters(lanes: &[LanePaths], eps: f64, offsets: u32, vocab_size: usize) -> Parameters {
    let depth = tree_depth(vocab_size);
    let candidates = candidates(eps);
    let grids: Vec<GridCosts> = candidates
        .chunk_by(|a, b| a.cells == b.cells)
        .map(|same| GridCosts::new(same[0].cells, offsets, eps))
        .collect();
    let mut totals = vec![0; candidates.len()];
    let mut spans = Vec::new();
    let mut costs = vec![0; offsets as usize];
    for lane in lanes {
        let mut choosers = vec![BlockChooser::new(offsets); candidates.len()];
        for index in 0..lane.len() {
            spans.clear();
            spans.extend(lane.decisions(index).map(|decision| Span::new(decision, eps)));
            let mut states = candidates.iter().zip(&mut choosers).zip(&mut totals);
            for grid in &grids {
                costs.fill(0);
                grid.add(&spans, &mut costs);
                for ((candidate, chooser), total) in states.by_ref().take(candidates.len() / grids.len()) {
                    chooser.add(&costs, depth);
                    if (index + 1).is_multiple_of(candidate.block) || index + 1 == lane.len() {
                        let (k, cost) = chooser.cheapest();
                        chooser.close(k);
                        *total += cost;
                    }
                }
            }
        }
    }
    let cheapest = (0..candidates.len()).min_by_key(|&i| totals[i]).unwrap_or(0);
    candidates[cheapest]
}

/// The stream of a lane: each block under its cheapest offset.
#[must_use]
pub fn encode_lane(lane: &LanePaths, parameters: Parameters, eps: f64, offsets: u32, vocab_size: usize) -> Vec<u8> {
    let depth = tree_depth(vocab_size);
    let costs_of = GridCosts::new(parameters.cells, offsets, eps);
    let grid = costs_of.grid();
    let mut encoder = BitEncoder::new();
    let mut chooser = BlockChooser::new(offsets);
    let mut spans = Vec::new();
    let mut costs = vec![0; offsets as usize];
    for start in (0..lane.len()).step_by(parameters.block) {
        let block = start..lane.len().min(start + parameters.block);
        for index in block.clone() {
            spans.clear();
            spans.extend(lane.decisions(index).map(|decision| Span::new(decision, eps)));
            costs.fill(0);
            costs_of.add(&spans, &mut costs);
            chooser.add(&costs, depth);
        }
        let (k, _) = chooser.cheapest();
        for (i, bit) in (0..=k).zip(chooser.unary()) {
            encoder.encode(i < k, bit.probability());
        }
        chooser.close(k);
        for index in block {
            if k < offsets {
                for decision in lane.decisions(index) {
                    let cell = grid.cell(decision.log_odds, k);
                    encoder.encode(decision.bit, grid.probability(cell, k));
                }
            } else {
                for shift in (0..depth).rev() {
                    encoder.encode((lane.ids[index] >> shift) & 1 == 1, PROBABILITY_ONE / 2);
                }
            }
        }
    }
    encoder.finish()
}
