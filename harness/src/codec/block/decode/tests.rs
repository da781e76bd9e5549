//! The promise of the guard band: a reader whose log-probs all lie within eps, even where an adversary chose them, finds the
//! writer's cells.

use super::*;
use crate::codec::block::{LanePaths, choose_parameters, encode_lane};
use crate::codec::grid::{offset_numerator, position};
use crate::codec::tree::Decision;
use crate::golden::synthetic::Lcg;
use crate::model::source::Row;

const VOCAB_SIZE: usize = 29;
const OFFSETS: u32 = 32;

/// Noise is in units of this, so that logits of at most 16 bits and noise add up exactly in binary32.
const UNIT: f64 = 1.0 / (1 << 22) as f64;

/// Rows of logits that are multiples of 2^-13 in -2 .. 2.
fn draw_row(lcg: &mut Lcg) -> Vec<f32> {
    lcg.draw_row(VOCAB_SIZE, 2.0)
        .into_iter()
        .map(|logit| (logit * 8192.0).floor() / 8192.0)
        .collect()
}

/// The decision of `path` whose log-odds are nearest, in eps, to a boundary of the grid under offset `k`, and the direction of that
/// boundary.
fn weakest(path: &[(u32, Decision)], grid: Grid, k: u32) -> (u32, f64) {
    let distances = path.iter().map(|&(level, decision)| {
        let v = decision.log_odds;
        let place = f64::from(grid.cells()) * position(v) - f64::from(offset_numerator(k)) / 65536.0;
        let slope = f64::from(grid.cells()) * (position(v + 1e-4) - position(v - 1e-4)) / 2e-4;
        let below = place - place.floor();
        if below < 0.5 {
            (below / slope, level, -1.0)
        } else {
            ((1.0 - below) / slope, level, 1.0)
        }
    });
    let (_, level, direction) = distances.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    (level, direction)
}

/// The row with every logit moved by `noise`, up or down: so that the decision at `level` on the way to `id` moves in `direction` by all
/// of 2 * noise, and at random where that decision does not care.
fn attack(row: &[f32], id: u32, level: u32, direction: f64, noise: f64, lcg: &mut Lcg) -> Vec<f32> {
    let shift = Tree::new(row.len()).depth() - level;
    let node = id >> shift;
    (0..)
        .zip(row)
        .map(|(other, &logit)| {
            let up = if other >> shift != node {
                lcg.draw() % 2 == 1
            } else {
                ((other >> (shift - 1)) & 1 == 1) == (direction > 0.0)
            };
            let moved = f64::from(logit) + if up { noise } else { -noise };
            assert_eq!(f64::from(moved as f32), moved, "the noise must be exact");
            moved as f32
        })
        .collect()
}

/// Codes `tokens` tokens, decodes them from rows that an adversary moved by `strength` * eps, and gives how many decisions were made and
/// how many of their cells were not the writer's.
fn decide(seed: u32, eps: f64, strength: f64, tokens: usize) -> (usize, usize) {
    let noise = (strength * eps / UNIT).floor() * UNIT;
    let mut lcg = Lcg::new(seed);
    let mut tree = Tree::new(VOCAB_SIZE);
    let mut rows = Vec::new();
    let mut lane = LanePaths::default();
    for _ in 0..tokens {
        let row = draw_row(&mut lcg);
        let id = lcg.draw_token(&row);
        tree.tree_masses(Row::F32(&row)).unwrap();
        lane.push(&tree, id);
        rows.push((row, id));
    }
    let parameters = choose_parameters(std::slice::from_ref(&lane), eps, OFFSETS, VOCAB_SIZE);
    let stream = encode_lane(&lane, parameters, eps, OFFSETS, VOCAB_SIZE);
    let mut decoder = LaneDecoder::new(stream, parameters, eps, OFFSETS);
    let (mut decisions, mut differing) = (0, 0);
    let mut moved_tree = tree.clone();
    for (row, id) in rows {
        tree.tree_masses(Row::F32(&row)).unwrap();
        // What this block is coded with is only known to a decoder that has begun it.
        let mut ahead = decoder.clone();
        ahead.decode(&tree).unwrap();
        let k = ahead.offset;
        if k == OFFSETS {
            decoder = ahead;
            continue;
        }
        let levels = (0..tree.depth()).filter(|&level| tree.log_odds(level, id >> (tree.depth() - level)).is_some());
        let path: Vec<(u32, Decision)> = levels.zip(tree.path(id)).collect();
        let (level, direction) = weakest(&path, decoder.grid, k);
        let moved = attack(&row, id, level, direction, noise, &mut lcg);
        moved_tree.tree_masses(Row::F32(&moved)).unwrap();
        for (here, there) in tree.path(id).zip(moved_tree.path(id)) {
            assert!((here.log_odds - there.log_odds).abs() <= 2.0 * noise + 1e-12);
            decisions += 1;
            differing += usize::from(decoder.grid.cell(here.log_odds, k) != decoder.grid.cell(there.log_odds, k));
        }
        if strength <= 1.0 {
            assert_eq!(decoder.decode(&moved_tree), Ok(id));
        } else {
            decoder = ahead;
        }
    }
    (decisions, differing)
}

#[test]
fn a_million_decisions_under_an_adversary_of_strength_eps() {
    let mut total = 0;
    for (seed, eps) in (200..).zip([1e-6, 1e-5, 5e-5, 1e-4, 1e-3, 1e-2, 2e-2]) {
        let (decisions, differing) = decide(seed, eps, 1.0, 32_000);
        assert_eq!(differing, 0, "cells differ at eps {eps}");
        total += decisions;
    }
    assert!(total >= 1_000_000, "only {total} decisions were made");
}

#[test]
fn the_adversary_is_a_real_one() {
    for (seed, (eps, strength)) in (300..).zip([(5e-5, 3.0), (1e-3, 1.5), (2e-2, 1.2)]) {
        let (_, differing) = decide(seed, eps, strength, 4000);
        assert!(
            differing > 0,
            "no cell differs although the noise is {strength} * {eps}"
        );
    }
}
