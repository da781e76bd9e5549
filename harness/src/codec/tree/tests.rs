use half::f16;
use proptest::prelude::*;

use super::*;
use crate::golden::synthetic::Lcg;

fn tree(row: Row<'_>) -> Tree {
    let mut tree = Tree::new(row.len());
    tree.take_row(row).unwrap();
    tree
}

/// Rows whose leaders stand at the edges of the vocabulary and of spans.
fn rows_with_leaders_at_edges(vocab_size: usize) -> impl Iterator<Item = Vec<f32>> {
    let places = [0, 63, 64, 127, 128, vocab_size - 1];
    places
        .into_iter()
        .filter(move |&place| place < vocab_size)
        .map(move |place| {
            let mut row = Lcg::new(place as u32).draw_row(vocab_size, 4.0);
            row[place] = 9.0;
            row
        })
}

/// The log-odds at every node that is above an id.
fn all_log_odds(tree: &mut Tree, leaves: Leaves) -> Vec<Option<f64>> {
    let mut found = Vec::new();
    for level in 0..tree.depth() {
        let used = tree.vocab_size().div_ceil(1 << (tree.depth() - level)) as u32;
        found.extend((0..used).map(|prefix| tree.log_odds(leaves, level, prefix)));
    }
    found
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
    let mut tree = tree(Row::F32(row));
    let mut total = 0.0;
    for id in 0..row.len() as u32 {
        let mut prefix = 0;
        let mut log_prob = 0.0;
        let expected_log_prob = tree.log_prob(id);
        let depth = tree.depth();
        let mut path = tree.path(Leaves::All, id);
        for level in 0..depth {
            let bit = (id >> (depth - 1 - level)) & 1 == 1;
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
        total += expected_log_prob.exp();
        // What the decisions make of it, where nothing was raised to the lowest weight.
        if log_prob > -500.0 {
            assert!((log_prob - expected_log_prob).abs() < 1e-9);
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
    for vocab_size in [2, 3, 4, 5, 6, 7, 8, 9, 63, 64, 65, 100, 127, 128, 129, 257] {
        for spread in [1.0, 16.0, 1024.0] {
            check(&Lcg::new(vocab_size as u32).draw_row(vocab_size, spread));
        }
        for row in rows_with_leaders_at_edges(vocab_size) {
            check(&row);
            check_leader(&row);
        }
    }
}

proptest! {
    #[test]
    fn decisions_of_any_row(row in prop::collection::vec(-50.0f32..50.0, 2..40)) {
        check(&row);
        check_leader(&row);
    }
}

#[test]
fn halves_are_taken_for_what_they_are() {
    let row: Vec<f32> = Lcg::new(3).draw_row(300, 8.0);
    let halves: Vec<f16> = row.iter().map(|&logit| f16::from_f32(logit)).collect();
    let widened: Vec<f32> = halves.iter().map(|&logit| f32::from(logit)).collect();
    let (mut narrow, mut wide) = (tree(Row::F16(&halves)), tree(Row::F32(&widened)));
    assert_eq!(narrow.found, wide.found);
    assert_eq!(
        all_log_odds(&mut narrow, Leaves::All),
        all_log_odds(&mut wide, Leaves::All)
    );
    assert_eq!(narrow.log_prob(17), wide.log_prob(17));
}

#[test]
fn a_tree_forgets_the_row_before() {
    let row = Lcg::new(2).draw_row(100, 4.0);
    for leaves in [Leaves::All, Leaves::Others] {
        let fresh = all_log_odds(&mut tree(Row::F32(&row)), leaves);
        let mut reused = tree(Row::F32(&Lcg::new(1).draw_row(100, 600.0)));
        // The last node that was asked for lies in the span that is asked for first.
        all_log_odds(&mut reused, leaves);
        let _ = reused.log_odds(leaves, 6, 0);
        reused.take_row(Row::F32(&row)).unwrap();
        assert_eq!(all_log_odds(&mut reused, leaves), fresh);
    }
}

/// One tree speaks of both; what was asked of one changes nothing of the other.
#[test]
fn a_leader_leaves_no_trace_in_the_tree_without_it() {
    for (seed, vocab_size, spread) in [(1, 2, 4.0), (2, 3, 4.0), (3, 100, 8.0), (4, 257, 512.0)] {
        let row = Lcg::new(seed).draw_row(vocab_size, spread);
        let fresh = |leaves| all_log_odds(&mut tree(Row::F32(&row)), leaves);
        let mut reused = tree(Row::F32(&row));
        for leaves in [Leaves::All, Leaves::Others, Leaves::Others, Leaves::All, Leaves::Others] {
            assert_eq!(all_log_odds(&mut reused, leaves), fresh(leaves));
        }
    }
}

/// A row's leader, its lead and its log-odds, as FORMAT.md section 5 states them.
fn check_leader(row: &[f32]) {
    let maximum = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let id = row.iter().position(|&logit| logit == maximum).unwrap();
    let others = || {
        (0..row.len())
            .filter(|&other| other != id)
            .map(|other| f64::from(row[other]))
    };
    let second = others().fold(f64::NEG_INFINITY, f64::max);
    let mass: f64 = others()
        .map(|logit| (logit - f64::from(maximum)).max(-600.0).exp())
        .sum();
    let tree = tree(Row::F32(row));
    let expected = Leader {
        id: id as u32,
        lead: f64::from(maximum) - second,
    };
    assert_eq!(tree.leader(), expected, "{row:?}");
    let log_odds = tree.leader_log_odds();
    assert!((log_odds + mass.ln()).abs() < 1e-9, "{row:?}: {log_odds}");
    let log_prob = tree.log_prob(id as u32);
    assert!((log_prob + (-log_odds).exp().ln_1p()).abs() < 1e-9);
}

#[test]
fn leaders_are_those_of_the_stated_formulas() {
    check_leader(&[0.0, 0.0]);
    check_leader(&[-3e38, 3e38]);
    check_leader(&[0.0, -3e38]);
    check_leader(&[1.0, 2.0, 2.0, 2.0]);
    check_leader(&[-0.0, 0.0]);
    check_leader(&[500.0, 0.0, 0.0]);
    check_leader(&[-7.0; 33]);
    for vocab_size in [2, 3, 7, 8, 9, 15, 16, 17, 100, 257] {
        for seed in 0..50 {
            let mut row = Lcg::new(seed).draw_row(vocab_size, 16.0);
            check_leader(&row);
            // Equals in all places, and a second that stands before or after the first.
            let (place, other) = (seed as usize % vocab_size, (7 * seed as usize + 1) % vocab_size);
            row[place] = 20.0;
            check_leader(&row);
            row[other] = 20.0;
            check_leader(&row);
            row[other] = 20.5;
            check_leader(&row);
        }
    }
}

#[test]
fn log_odds_without_the_leader() {
    for (vocab_size, spread) in [
        (2, 4.0),
        (3, 4.0),
        (29, 8.0),
        (64, 8.0),
        (65, 8.0),
        (128, 8.0),
        (129, 8.0),
        (257, 600.0),
    ] {
        for row in rows_with_leaders_at_edges(vocab_size).chain([Lcg::new(9).draw_row(vocab_size, spread)]) {
            let mut tree = tree(Row::F32(&row));
            let leader = tree.leader().id as usize;
            let weight = |id: usize| {
                let weight = (f64::from(row[id]) - f64::from(row[leader])).max(-600.0).exp();
                if id == leader { 0.0 } else { weight }
            };
            let depth = tree.depth();
            for id in (0..vocab_size as u32).filter(|&id| id as usize != leader) {
                for level in 0..depth {
                    let width = 1usize << (depth - 1 - level);
                    let prefix = id >> (depth - level);
                    let start = 2 * prefix as usize * width;
                    let mass = |from: usize| -> f64 { (from..(from + width).min(vocab_size)).map(weight).sum() };
                    let expected = (start + width < vocab_size).then(|| {
                        mass(start + width).max(2f64.powi(-1000)).ln() - mass(start).max(2f64.powi(-1000)).ln()
                    });
                    match (tree.log_odds(Leaves::Others, level, prefix), expected) {
                        (None, None) => {}
                        (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-9, "{found} {expected}"),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn rows_that_are_not_finite_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 4, 9] {
            let mut row = [1.0; 10];
            row[place] = bad;
            let error = Tree::new(10).take_row(Row::F32(&row)).unwrap_err();
            assert_eq!(error.code, ErrorCode::Model);
            assert!(error.message.contains(&format!("{bad} for id {place}")), "{error}");
            let halves = row.map(f16::from_f32);
            let error = Tree::new(10).take_row(Row::F16(&halves)).unwrap_err();
            assert_eq!(error.code, ErrorCode::Model);
        }
    }
    let error = Tree::new(10).take_row(Row::F32(&[f32::NAN; 10])).unwrap_err();
    assert!(error.message.contains("10 logits"), "{error}");
}

#[test]
fn a_row_of_another_length_is_refused() {
    for length in [0, 9, 11] {
        let error = Tree::new(10).take_row(Row::F32(&vec![0.0; length])).unwrap_err();
        assert_eq!(error.code, ErrorCode::Model);
    }
}
