//! Owns the vectors of rows: leaders, depths of trees, and the decisions and log-probs of tokens.

use half::f16;
use serde_json::{Value, json};

use super::{f32_bits, f64_bits};
use crate::Result;
use crate::codec::tree::{Leaves, Tree, tree_depth};
use crate::golden::synthetic::Lcg;
use crate::model::source::Row;

pub fn tree_depths() -> Vec<Value> {
    let few = [2, 3, 4, 5, 256, 257, 1536, 49_152, 65_536, 65_537, 1 << 20];
    few.into_iter()
        .map(|vocab_size| json!({"vocab_size": vocab_size, "depth": tree_depth(vocab_size)}))
        .collect()
}

/// A row and how a vector states it.
struct StatedRow {
    vector: Value,
    logits: OwnedLogits,
}

enum OwnedLogits {
    F32(Vec<f32>),
    F16(Vec<f16>),
}

impl StatedRow {
    fn f32(row: &[f32]) -> Self {
        let bits: Vec<String> = row.iter().map(|&logit| f32_bits(logit)).collect();
        Self {
            vector: json!({"type": "float32", "row": bits, "vocab_size": row.len()}),
            logits: OwnedLogits::F32(row.to_vec()),
        }
    }

    fn f16(row: &[f32]) -> Self {
        let row: Vec<f16> = row.iter().copied().map(f16::from_f32).collect();
        let bits: Vec<String> = row.iter().map(|logit| format!("{:04x}", logit.to_bits())).collect();
        Self {
            vector: json!({"type": "float16", "row": bits, "vocab_size": row.len()}),
            logits: OwnedLogits::F16(row),
        }
    }

    fn drawn(seed: u32, vocab_size: usize, spread: f32) -> Self {
        Self {
            vector: json!({"type": "float32", "seed": seed, "spread": spread as u32, "vocab_size": vocab_size}),
            logits: OwnedLogits::F32(Lcg::new(seed).draw_row(vocab_size, spread)),
        }
    }

    fn row(&self) -> Row<'_> {
        match &self.logits {
            OwnedLogits::F32(row) => Row::F32(row),
            OwnedLogits::F16(row) => Row::F16(row),
        }
    }

    fn tree(&self) -> Result<Tree> {
        let mut tree = Tree::new(self.row().len());
        tree.take_row(self.row())?;
        Ok(tree)
    }
}

/// Rows with leaders that lead by nothing, by little and by all.
pub fn leaders() -> Result<Vec<Value>> {
    let mut rows = small_rows();
    rows.extend([
        StatedRow::f32(&[2.0, 2.0, 2.0]),
        StatedRow::f32(&[-3e38, 3e38]),
        StatedRow::f32(&[40.0, 0.0, 0.0, 0.0, 0.0]),
    ]);
    for (seed, vocab_size, spread) in [
        (50, 2, 1.0),
        (51, 20, 16.0),
        (52, 20, 16.0),
        (53, 257, 128.0),
        (54, 257, 128.0),
        (55, 257, 8.0),
        (56, 1536, 1024.0),
        (57, 1536, 4.0),
        (58, 49_152, 16.0),
    ] {
        rows.push(StatedRow::drawn(seed, vocab_size, spread));
    }
    rows.into_iter()
        .map(|stated| {
            let tree = stated.tree()?;
            let mut vector = stated.vector;
            vector["leader"] = json!(tree.leader().id);
            vector["lead"] = json!(f64_bits(tree.leader().lead));
            vector["leader_log_odds"] = json!(f64_bits(tree.leader_log_odds()));
            Ok(vector)
        })
        .collect()
}

fn small_rows() -> Vec<StatedRow> {
    let small: [&[f32]; 5] = [
        &[0.0, 0.0],
        &[1.5, -2.25],
        &[-1.0, 3.0, 0.125],
        &[0.5, -0.5, 1.0, 2.0, -3.0, 0.0, 7.5],
        &[10.0, -700.0, 0.0, -1e30, 9.0, -595.0, 10.0],
    ];
    let mut rows: Vec<StatedRow> = small.into_iter().map(StatedRow::f32).collect();
    rows.push(StatedRow::f16(&[0.333, -4.5, 12.0, 1e-7, -65_504.0]));
    rows
}

pub fn trees() -> Result<Vec<Value>> {
    let mut vectors = Vec::new();
    let mut push = |stated: &StatedRow, leaves, ids: &mut dyn Iterator<Item = u32>| -> Result<()> {
        let mut tree = stated.tree()?;
        for id in ids {
            if id != tree.leader().id || leaves == Leaves::All {
                vectors.push(tree_vector(stated, &mut tree, leaves, id));
            }
        }
        Ok(())
    };
    let drawn = [(10, 257, 4.0), (11, 1536, 16.0), (12, 1536, 512.0)];
    for leaves in [Leaves::All, Leaves::Others] {
        for stated in small_rows() {
            push(&stated, leaves, &mut (0..stated.row().len() as u32))?;
        }
        for (seed, vocab_size, spread) in drawn {
            let few = [0, 1, 200, 255, 256, 1023, 1024, 1400, 1535];
            let stated = StatedRow::drawn(seed, vocab_size, spread);
            push(
                &stated,
                leaves,
                &mut few.into_iter().filter(|&id| (id as usize) < vocab_size),
            )?;
        }
    }
    // The leader's neighbours: halves that are empty without it.
    for (seed, vocab_size, spread) in drawn {
        let stated = StatedRow::drawn(seed, vocab_size, spread);
        let leader = stated.tree()?.leader().id;
        let neighbours = [leader ^ 1, leader ^ 2, leader ^ 3];
        push(
            &stated,
            Leaves::Others,
            &mut neighbours.into_iter().filter(|&id| (id as usize) < vocab_size),
        )?;
    }
    Ok(vectors)
}

fn tree_vector(stated: &StatedRow, tree: &mut Tree, leaves: Leaves, id: u32) -> Value {
    let log_prob = tree.log_prob(id);
    let bits: String = tree
        .path(leaves, id)
        .map(|decision| if decision.bit { '1' } else { '0' })
        .collect();
    let log_odds: Vec<String> = tree
        .path(leaves, id)
        .map(|decision| f64_bits(decision.log_odds))
        .collect();
    let mut vector = stated.vector.clone();
    vector["leader_left_out"] = json!(leaves == Leaves::Others);
    vector["id"] = json!(id);
    vector["bits"] = json!(bits);
    vector["log_odds"] = json!(log_odds);
    vector["log_prob"] = json!(f64_bits(log_prob));
    vector
}
