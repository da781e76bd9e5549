//! Owns the vectors of the tree: depths, and the decisions and log-probs of tokens.

use half::f16;
use serde_json::{Value, json};

use super::{f32_bits, f64_bits};
use crate::Result;
use crate::codec::tree::{Tree, tree_depth};
use crate::golden::synthetic::Lcg;
use crate::model::source::Row;

pub fn tree_depths() -> Vec<Value> {
    let few = [2, 3, 4, 5, 256, 257, 1536, 49_152, 65_536, 65_537, 1 << 20];
    few.into_iter()
        .map(|vocab_size| json!({"vocab_size": vocab_size, "depth": tree_depth(vocab_size)}))
        .collect()
}

pub fn trees() -> Result<Vec<Value>> {
    let mut vectors = Vec::new();
    let small: [&[f32]; 5] = [
        &[0.0, 0.0],
        &[1.5, -2.25],
        &[-1.0, 3.0, 0.125],
        &[0.5, -0.5, 1.0, 2.0, -3.0, 0.0, 7.5],
        &[10.0, -700.0, 0.0, -1e30, 9.0, -595.0, 10.0],
    ];
    for row in small {
        for id in 0..row.len() as u32 {
            let bits: Vec<String> = row.iter().map(|&logit| f32_bits(logit)).collect();
            let vector = json!({"type": "float32", "row": bits});
            vectors.push(tree(vector, Row::F32(row), id)?);
        }
    }
    let halves: Vec<f16> = [0.333, -4.5, 12.0, 1e-7, -65_504.0].map(f16::from_f32).to_vec();
    for id in 0..5 {
        let bits: Vec<String> = halves.iter().map(|logit| format!("{:04x}", logit.to_bits())).collect();
        let vector = json!({"type": "float16", "row": bits});
        vectors.push(tree(vector, Row::F16(&halves), id)?);
    }
    for (seed, vocab_size, spread) in [(10, 257, 4.0), (11, 1536, 16.0), (12, 1536, 512.0)] {
        let row = Lcg::new(seed).draw_row(vocab_size, spread);
        for id in [0, 1, 200, 255, 256, 1023, 1024, 1400, 1535] {
            if (id as usize) < vocab_size {
                let vector = json!({"type": "float32", "seed": seed, "spread": spread as u32});
                vectors.push(tree(vector, Row::F32(&row), id)?);
            }
        }
    }
    Ok(vectors)
}

fn tree(mut vector: Value, row: Row<'_>, id: u32) -> Result<Value> {
    let mut tree = Tree::new(row.len());
    tree.tree_masses(row)?;
    let bits: String = tree
        .path(id)
        .map(|decision| if decision.bit { '1' } else { '0' })
        .collect();
    let log_odds: Vec<String> = tree.path(id).map(|decision| f64_bits(decision.log_odds)).collect();
    vector["vocab_size"] = json!(row.len());
    vector["id"] = json!(id);
    vector["bits"] = json!(bits);
    vector["log_odds"] = json!(log_odds);
    vector["log_prob"] = json!(f64_bits(tree.log_prob(row, id)));
    Ok(vector)
}
