//! Owns the measure of what the guard band costs: the bits of a lane's stream against the entropy of its rows.

use crate::Result;
use crate::codec::block::{Parameters, WRITER_OFFSETS, choose_parameters, encode_lane};
use crate::codec::lane_paths::LanePaths;
use crate::codec::tree::Tree;
use crate::model::source::Row;

/// What coding a sequence as one lane costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overhead {
    /// How many tokens were coded.
    pub tokens: usize,
    /// The sum of the tokens' negative log-probs, in bits.
    pub entropy_bits: f64,
    /// The length of the lane's stream, in bits.
    pub stream_bits: u64,
    /// The N and B that the writer chose.
    pub parameters: Parameters,
}

impl Overhead {
    /// How much longer the stream is than the entropy: 0.01 is 1 %.
    #[must_use]
    pub fn relative(&self) -> f64 {
        self.stream_bits as f64 / self.entropy_bits - 1.0
    }
}

/// Codes tokens as one lane for an `eps` in nats; each comes with the row that predicts it. All rows have `vocab_size` logits.
///
/// # Errors
/// `model` when a row is not finite or of another length.
pub fn overhead<'a, I>(rows_and_tokens: I, vocab_size: usize, eps: f64) -> Result<Overhead>
where
    I: IntoIterator<Item = (Row<'a>, u32)>,
{
    let mut tree = Tree::new(vocab_size);
    let mut lane = LanePaths::default();
    let mut nats = 0.0;
    for (row, id) in rows_and_tokens {
        tree.take_row(row)?;
        lane.push(&mut tree, id);
        nats -= tree.log_prob(id);
    }
    let lanes = [lane];
    let parameters = choose_parameters(&lanes, eps, WRITER_OFFSETS, vocab_size);
    let stream = encode_lane(&lanes[0], parameters, eps, WRITER_OFFSETS, vocab_size);
    Ok(Overhead {
        tokens: lanes[0].len(),
        entropy_bits: nats / std::f64::consts::LN_2,
        stream_bits: 8 * stream.len() as u64,
        parameters,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{draw_led_row, draw_likely_token};
    use crate::golden::synthetic::Lcg;

    /// Rows as `draw` makes them, each with a token that is as likely as it says.
    fn sample(seed: u32, vocab_size: usize, draw: impl Fn(&mut Lcg) -> Vec<f32>) -> Vec<(Vec<f32>, u32)> {
        let mut lcg = Lcg::new(seed);
        let mut tree = Tree::new(vocab_size);
        let mut draw_both = || {
            let row = draw(&mut lcg);
            tree.take_row(Row::F32(&row)).unwrap();
            let id = draw_likely_token(&mut lcg, &tree, &row);
            (row, id)
        };
        (0..10_000).map(|_| draw_both()).collect()
    }

    fn check(sample: &[(Vec<f32>, u32)], limits: &[(f64, f64)]) {
        let vocab_size = sample[0].0.len();
        let mut before = 0.0;
        for &(eps, limit) in limits {
            let rows = sample.iter().map(|(row, id)| (Row::F32(row), *id));
            let overhead = overhead(rows, vocab_size, eps).unwrap();
            assert_eq!(overhead.tokens, 10_000);
            let relative = overhead.relative();
            assert!(
                (before..limit).contains(&relative),
                "{relative} at eps {eps}: {overhead:?}"
            );
            before = relative;
        }
    }

    #[test]
    fn the_overhead_is_small_and_grows_with_eps() {
        let rows = sample(50, 64, |lcg| lcg.draw_row(64, 8.0));
        let limits = [(0.0, 0.0005), (1e-5, 0.001), (5e-5, 0.003), (1e-3, 0.03), (2e-2, 0.2)];
        check(&rows, &limits);
    }

    #[test]
    fn leaders_cost_little() {
        let rows = sample(51, 64, |lcg| draw_led_row(lcg, 64));
        let limits = [
            (0.0, 0.0006),
            (1e-5, 0.0015),
            (5e-5, 0.003),
            (1e-3, 0.021),
            (2e-2, 0.11),
        ];
        check(&rows, &limits);
    }
}
