//! Owns the vectors of the integer parts: costs, grid, adaptive bit and arithmetic coder.

use serde_json::{Value, json};

use super::{f64_bits, hex};
use crate::codec::arithmetic_coder::{AdaptiveBit, BitEncoder};
use crate::codec::grid::{Grid, bit_cost, offset_numerator, position};
use crate::golden::synthetic::Lcg;

pub fn bit_costs() -> Vec<Value> {
    let few = [
        1, 2, 3, 7, 255, 256, 4095, 10_000, 32_767, 32_768, 32_769, 50_000, 65_534, 65_535,
    ];
    few.into_iter().map(|p| json!({"p": p, "cost": bit_cost(p)})).collect()
}

pub fn offset_numerators() -> Vec<Value> {
    (0..64).map(|k| json!(offset_numerator(k))).collect()
}

pub fn positions() -> Vec<Value> {
    let few = [
        0.0, 1e-9, -1e-9, 0.5, -0.5, 1.0, -1.0, 3.0, -7.25, 11.0, -29.999, 29.999, 30.0, -30.0, 30.001, 107.0, -107.0,
        600.0, -600.0,
    ];
    few.into_iter()
        .map(|v| json!({"v": f64_bits(v), "position": f64_bits(position(v))}))
        .collect()
}

pub fn probability_indices() -> Vec<Value> {
    let mut vectors = Vec::new();
    for cells in [2, 3, 12, 48, 2048, 4096] {
        let grid = Grid::new(cells, 0.0);
        for k in [0, 1, 2, 31, 63] {
            let n = cells as i32;
            let mut few = vec![-1, 0, 1, n / 3, n / 2, n - 2, n - 1, n];
            few.sort_unstable();
            few.dedup();
            for c in few {
                vectors.push(json!({
                    "cells": cells,
                    "k": k,
                    "c": c,
                    "index": grid.probability_index(c, k),
                    "probability": grid.probability(c, k),
                }));
            }
        }
    }
    vectors
}

/// Grids of every width and eps that belong together, log-odds from the middle to the tails.
pub fn cells() -> Vec<Value> {
    let mut lcg = Lcg::new(1);
    let mut vectors = Vec::new();
    for (cells, eps) in [
        (2048, "0"),
        (96, "1e-6"),
        (48, "1e-5"),
        (32, "5e-5"),
        (12, "1e-3"),
        (6, "5e-3"),
        (3, "2e-2"),
    ] {
        let eps_value = eps.parse().unwrap_or(0.0);
        let grid = Grid::new(cells, eps_value);
        for _ in 0..40 {
            let v = f64::from(lcg.draw_logit(1.0)) * [1.0, 4.0, 12.0, 128.0][lcg.draw() as usize % 4];
            let k = lcg.draw() % 32;
            let cell = grid.cell(v, k);
            vectors.push(json!({
                "cells": cells,
                "eps": eps,
                "v": f64_bits(v),
                "k": k,
                "cell": cell,
                "is_safe": grid.is_safe(v, k, grid.guard()),
                "probability": grid.probability(cell, k),
            }));
        }
    }
    vectors
}

/// Every eps of a leader's guard, on both sides of where it is tighter.
pub fn leader_guards() -> Vec<Value> {
    let mut vectors = Vec::new();
    for eps in ["0", "1e-6", "1e-5", "5e-5", "1e-3", "2e-2", "25e-2", "26e-2", "9e-1"] {
        let grid = Grid::new(2, eps.parse().unwrap_or(0.0));
        for v in [0.0, 0.001, -0.05, 0.3, -1.0, 2.5, -7.0, 30.0, 107.0, 600.0] {
            vectors.push(json!({"eps": eps, "v": f64_bits(v), "leader_guard": f64_bits(grid.leader_guard(v))}));
        }
    }
    vectors
}

/// Leads on both sides of each threshold, and near enough to it to be unsafe.
pub fn leads() -> Vec<Value> {
    let mut vectors = Vec::new();
    for eps in ["0", "1e-5", "2e-2"] {
        let grid = Grid::new(2, eps.parse().unwrap_or(0.0));
        let guard = grid.guard();
        for k in [0, 1, 2, 31, 63] {
            let least = 1.0 + f64::from(offset_numerator(k)) / 65536.0;
            // Clear of the ends of the guard, where rounding would decide.
            for step in [-10.0, -1.125, -0.875, -0.125, 0.0, 0.125, 0.875, 1.125, 10.0] {
                let lead = least + step * guard;
                vectors.push(json!({
                    "eps": eps,
                    "k": k,
                    "lead": f64_bits(lead),
                    "leads": grid.leads(lead, k),
                    "leads_safely": grid.leads_safely(lead, k),
                }));
            }
        }
        for (k, lead) in [(0, 0.0), (0, 1.0), (1, 1.25), (1, 1.875), (5, 600.0)] {
            vectors.push(json!({
                "eps": eps,
                "k": k,
                "lead": f64_bits(lead),
                "leads": grid.leads(lead, k),
                "leads_safely": grid.leads_safely(lead, k),
            }));
        }
    }
    vectors
}

/// Bits as a text of 0 and 1, and the probability before each.
pub fn adaptive_bits() -> Vec<Value> {
    let mut lcg = Lcg::new(2);
    let skews = [0, 600, 32_768, 65_000, 65_536];
    skews
        .into_iter()
        .map(|skew| {
            let mut adaptive = AdaptiveBit::default();
            let mut bits = String::new();
            let mut probabilities = Vec::new();
            for _ in 0..600 {
                let bit = lcg.draw() < skew;
                probabilities.push(adaptive.probability());
                adaptive.update(bit);
                bits.push(if bit { '1' } else { '0' });
            }
            json!({"bits": bits, "probabilities": probabilities})
        })
        .collect()
}

pub fn coder_streams() -> Vec<Value> {
    let mut vectors = vec![coder_stream(&[])];
    // Long rows of pending bits: the interval straddles the middle.
    let straddling: Vec<(bool, u32)> = (0..200)
        .map(|i| (i % 2 == 1, if i % 2 == 1 { 32_769 } else { 32_767 }))
        .collect();
    vectors.push(coder_stream(&straddling));
    for p in [1, 32_768, 65_535] {
        for bit in [false, true] {
            vectors.push(coder_stream(&[(bit, p); 40]));
        }
    }
    let mut lcg = Lcg::new(3);
    for count in [1, 2, 3, 17, 200] {
        let likely: Vec<(bool, u32)> = (0..count)
            .map(|_| {
                let p = lcg.draw().max(1);
                (lcg.draw() < p, p)
            })
            .collect();
        vectors.push(coder_stream(&likely));
        let any: Vec<(bool, u32)> = (0..count).map(|_| (lcg.draw() % 2 == 1, lcg.draw().max(1))).collect();
        vectors.push(coder_stream(&any));
    }
    vectors
}

fn coder_stream(decisions: &[(bool, u32)]) -> Value {
    let mut encoder = BitEncoder::new();
    for &(bit, p) in decisions {
        encoder.encode(bit, p);
    }
    let bits: String = decisions.iter().map(|&(bit, _)| if bit { '1' } else { '0' }).collect();
    let probabilities: Vec<u32> = decisions.iter().map(|&(_, p)| p).collect();
    json!({"bits": bits, "probabilities": probabilities, "stream": hex(&encoder.finish())})
}
