//! Owns the vectors of whole lanes: what a writer chooses and the stream that it makes.

use serde_json::{Value, json};

use super::hex;
use crate::Result;
use crate::codec::block::{Parameters, candidates, choose_parameters, encode_lane};
use crate::codec::lane_paths::LanePaths;
use crate::codec::tree::Tree;
use crate::golden::synthetic::Lcg;
use crate::model::source::Row;

/// What a lane is made from.
struct Recipe {
    seed: u32,
    vocab_size: usize,
    spread: f32,
    tokens: usize,
    eps: &'static str,
    offsets: u32,
    /// What the lane is coded with; what the writer chooses where there is none.
    parameters: Option<Parameters>,
}

pub fn parameters() -> Vec<Value> {
    let few = [
        "0", "1e-12", "1e-9", "1e-6", "1e-5", "5e-5", "1e-4", "1e-3", "5e-3", "1e-2", "2e-2", "12e-2", "9e-1",
    ];
    few.into_iter()
        .map(|eps| {
            let candidates: Vec<Value> = candidates(eps.parse().unwrap_or(0.0))
                .into_iter()
                .map(|candidate| json!([candidate.cells, candidate.block]))
                .collect();
            json!({"eps": eps, "candidates": candidates})
        })
        .collect()
}

pub fn lanes() -> Result<Vec<Value>> {
    let chosen = |seed, vocab_size, spread, tokens, eps| Recipe {
        seed,
        vocab_size,
        spread,
        tokens,
        eps,
        offsets: 32,
        parameters: None,
    };
    let given = |seed, vocab_size, spread, tokens, eps, offsets, cells, block| Recipe {
        offsets,
        parameters: Some(Parameters { cells, block }),
        ..chosen(seed, vocab_size, spread, tokens, eps)
    };
    let recipes = [
        chosen(20, 2, 4.0, 1, "0"),
        chosen(21, 2, 4.0, 100, "1e-5"),
        chosen(22, 3, 4.0, 50, "1e-3"),
        chosen(23, 257, 8.0, 300, "0"),
        chosen(24, 257, 8.0, 300, "1e-5"),
        chosen(25, 257, 8.0, 300, "5e-5"),
        chosen(26, 257, 8.0, 300, "1e-3"),
        chosen(27, 257, 8.0, 300, "2e-2"),
        chosen(28, 1536, 16.0, 150, "0"),
        chosen(29, 1536, 16.0, 150, "5e-5"),
        chosen(30, 1536, 16.0, 150, "2e-2"),
        chosen(31, 1536, 512.0, 50, "1e-5"),
        // Rows of which some have a leader.
        chosen(40, 3, 4.0, 300, "0"),
        chosen(41, 7, 4.0, 300, "0"),
        chosen(42, 7, 4.0, 300, "1e-5"),
        chosen(43, 12, 4.0, 300, "5e-5"),
        chosen(44, 20, 8.0, 300, "1e-3"),
        chosen(45, 20, 16.0, 300, "2e-2"),
        chosen(46, 12, 8.0, 300, "5e-5"),
        chosen(47, 257, 128.0, 300, "2e-2"),
        chosen(48, 5, 4.0, 2500, "1e-6"),
        given(49, 20, 16.0, 200, "3e-1", 32, 2, 2),
        given(32, 7, 2.0, 200, "1e-5", 32, 2, 1),
        given(33, 7, 2.0, 200, "1e-5", 1, 48, 3),
        given(34, 257, 8.0, 100, "1e-3", 64, 4096, 1),
        // So fine a grid that hardly a block is safe: escapes.
        given(35, 257, 8.0, 100, "2e-2", 32, 2048, 4),
        given(36, 300, 8.0, 100, "1e-2", 8, 16, 8),
    ];
    recipes.iter().map(lane).collect()
}

fn lane(recipe: &Recipe) -> Result<Value> {
    let mut lcg = Lcg::new(recipe.seed);
    let mut tree = Tree::new(recipe.vocab_size);
    let mut lane = LanePaths::default();
    for _ in 0..recipe.tokens {
        let row = lcg.draw_row(recipe.vocab_size, recipe.spread);
        let id = lcg.draw_token(&row);
        tree.take_row(Row::F32(&row))?;
        lane.push(&mut tree, id);
    }
    let eps = recipe.eps.parse().unwrap_or(0.0);
    let lanes = [lane];
    let parameters = recipe
        .parameters
        .unwrap_or_else(|| choose_parameters(&lanes, eps, recipe.offsets, recipe.vocab_size));
    let stream = encode_lane(&lanes[0], parameters, eps, recipe.offsets, recipe.vocab_size);
    Ok(json!({
        "seed": recipe.seed,
        "vocab_size": recipe.vocab_size,
        "spread": recipe.spread as u32,
        "tokens": recipe.tokens,
        "eps": recipe.eps,
        "offsets": recipe.offsets,
        "chosen": recipe.parameters.is_none(),
        "cells": parameters.cells,
        "block": parameters.block,
        "stream": hex(&stream),
    }))
}
