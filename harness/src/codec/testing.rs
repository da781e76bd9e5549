//! Owns what the codec's tests share: rows of which some have a leader, and tokens as likely as their rows say.

use crate::codec::tree::Tree;
use crate::golden::synthetic::Lcg;

/// Logits of rows from [`draw_led_row`] are multiples of this.
pub const STEP: f32 = 1.0 / (1 << 13) as f32;

/// A row of logits in -8 .. -4, but that three times in four one of them is moved to anywhere in -8 .. 7.5.
pub fn draw_led_row(lcg: &mut Lcg, vocab_size: usize) -> Vec<f32> {
    let mut row: Vec<f32> = (0..vocab_size).map(|_| -6.0 + lcg.draw_logit(2.0)).collect();
    if !lcg.draw().is_multiple_of(4) {
        row[lcg.draw() as usize % vocab_size] = (lcg.draw_logit(8.0)).min(7.5);
    }
    for logit in &mut row {
        *logit = (*logit / STEP).floor() * STEP;
    }
    row
}

/// A token that is as likely as `row` says, which `tree` has taken in.
pub fn draw_likely_token(lcg: &mut Lcg, tree: &Tree, row: &[f32]) -> u32 {
    let mut left = (f64::from(lcg.draw()) + f64::from(lcg.draw()) / 65536.0) / 65536.0;
    let ids = 0..row.len() as u32;
    ids.rev()
        .find(|&id| {
            left -= tree.log_prob(id).exp();
            left < 0.0
        })
        .unwrap_or(0)
}
