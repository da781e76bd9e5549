use half::f16;
use proptest::prelude::*;

use super::*;
use crate::golden::synthetic::Lcg;

fn tree(row: Row<'_>) -> Tree {
    let mut tree = Tree::new(row.len());
    tree.tree_masses(row).unwrap();
    tree
}

/// The log-odds of a decision, summed leaf by leaf.
fn stated_log_odds(row: &[f32], level: u32, prefix: u32) -> Option<f64> {
    let depth = tree_depth(row.len());
    let width = 1usize << (depth - 1 - level);
    let start = 2 * prefix as usize * width;
    let maximum = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mass = |range: std::ops::Range<usize>| -> f64 {
        let logits = row.iter().take(range.end).skip(range.start);
        logits
            .map(|&logit| (f64::from(logit) - f64::from(maximum)).max(-600.0).exp())
            .sum()
    };
    (start + width < row.len()).then(|| mass(start + width..start + 2 * width).ln() - mass(start..start + width).ln())
}

fn check(row: &[f32]) {
    let tree = tree(Row::F32(row));
    let mut total = 0.0;
    for id in 0..row.len() as u32 {
        let mut prefix = 0;
        let mut log_prob = 0.0;
        let mut path = tree.path(id);
        for level in 0..tree.depth() {
            let bit = (id >> (tree.depth() - 1 - level)) & 1 == 1;
            match stated_log_odds(row, level, prefix) {
                None => assert!(!bit),
                Some(expected) => {
                    let decision = path.next().unwrap();
                    assert_eq!(decision.bit, bit);
                    assert!(
                        (decision.log_odds - expected).abs() < 1e-9,
                        "{} {expected}",
                        decision.log_odds
                    );
                    let towards = if bit { decision.log_odds } else { -decision.log_odds };
                    log_prob -= (-towards).exp().ln_1p();
                }
            }
            prefix = 2 * prefix + u32::from(bit);
        }
        assert_eq!(path.next(), None);
        total += tree.log_prob(Row::F32(row), id).exp();
        // What the decisions make of it, where nothing was raised to the lowest weight.
        if log_prob > -500.0 {
            assert!((log_prob - tree.log_prob(Row::F32(row), id)).abs() < 1e-9);
        }
    }
    assert!((total - 1.0).abs() < 1e-9);
}

#[test]
fn depths() {
    for (vocab_size, depth) in [
        (2, 1),
        (3, 2),
        (4, 2),
        (5, 3),
        (257, 9),
        (1536, 11),
        (49_152, 16),
        (1 << 20, 20),
    ] {
        assert_eq!(tree_depth(vocab_size), depth);
    }
}

#[test]
fn decisions_are_those_of_the_stated_formula() {
    check(&[0.0, 0.0]);
    check(&[1.0, -1.0, 30.0]);
    check(&[-1000.0, 0.0, 1000.0, 3e38, -3e38]);
    check(&[5.0; 7]);
    for vocab_size in [2, 3, 4, 5, 6, 7, 8, 9, 100, 257] {
        for spread in [1.0, 16.0, 1024.0] {
            check(&Lcg::new(vocab_size as u32).draw_row(vocab_size, spread));
        }
    }
}

proptest! {
    #[test]
    fn decisions_of_any_row(row in prop::collection::vec(-50.0f32..50.0, 2..40)) {
        check(&row);
    }
}

#[test]
fn halves_are_taken_for_what_they_are() {
    let row: Vec<f32> = Lcg::new(3).draw_row(300, 8.0);
    let halves: Vec<f16> = row.iter().map(|&logit| f16::from_f32(logit)).collect();
    let widened: Vec<f32> = halves.iter().map(|&logit| f32::from(logit)).collect();
    let (narrow, wide) = (tree(Row::F16(&halves)), tree(Row::F32(&widened)));
    assert_eq!(narrow.masses, wide.masses);
    assert_eq!(
        narrow.log_prob(Row::F16(&halves), 17),
        wide.log_prob(Row::F32(&widened), 17)
    );
}

#[test]
fn a_tree_forgets_the_row_before() {
    let mut reused = tree(Row::F32(&Lcg::new(1).draw_row(100, 600.0)));
    let row = Lcg::new(2).draw_row(100, 4.0);
    reused.tree_masses(Row::F32(&row)).unwrap();
    assert_eq!(reused.masses, tree(Row::F32(&row)).masses);
}

#[test]
fn rows_that_are_not_finite_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 4, 9] {
            let mut row = [1.0; 10];
            row[place] = bad;
            let error = Tree::new(10).tree_masses(Row::F32(&row)).unwrap_err();
            assert_eq!(error.code, ErrorCode::Model);
            assert!(error.message.contains(&format!("{bad} for id {place}")), "{error}");
            let halves = row.map(f16::from_f32);
            let error = Tree::new(10).tree_masses(Row::F16(&halves)).unwrap_err();
            assert_eq!(error.code, ErrorCode::Model);
        }
    }
    let error = Tree::new(10).tree_masses(Row::F32(&[f32::NAN; 10])).unwrap_err();
    assert!(error.message.contains("10 logits"), "{error}");
}

#[test]
fn a_row_of_another_length_is_refused() {
    for length in [0, 9, 11] {
        let error = Tree::new(10).tree_masses(Row::F32(&vec![0.0; length])).unwrap_err();
        assert_eq!(error.code, ErrorCode::Model);
    }
}
