use super::*;
use crate::model::source::LogitsType;
use approx::assert_abs_diff_eq;

const VOCAB: usize = 4;

fn rows_file(dir: &tempfile::TempDir, name: &str, rows: &[[f32; VOCAB]]) -> RowsFile {
    let path = dir.path().join(name);
    let bytes: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(&path, bytes).unwrap();
    RowsFile {
        path,
        rows: rows.len(),
        vocab_size: VOCAB,
        logits_type: LogitsType::Float32,
    }
}

fn check(left: &[[f32; VOCAB]], right: &[[f32; VOCAB]]) -> PairStats {
    let dir = tempfile::tempdir().unwrap();
    let (l, r) = (rows_file(&dir, "l", left), rows_file(&dir, "r", right));
    let coded = vec![-1.0; left.len()];
    compare(
        Side {
            rows: &l,
            coded: &coded,
        },
        Side {
            rows: &r,
            coded: &coded,
        },
    )
    .unwrap()
}

#[test]
fn equal_rows_are_bit_exact() {
    let rows = [[1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 5.0, 2.0]];
    let stats = check(&rows, &rows);
    assert!(stats.bit_exact);
    assert_eq!(
        (stats.max_abs, stats.identical_fraction, stats.top1_agreement),
        (0.0, 1.0, 1.0)
    );
    assert_eq!(stats.first_divergence, None);
}

#[test]
fn a_shifted_row_has_equal_log_probs_but_other_bits() {
    let stats = check(&[[1.0, 2.0, 3.0, 4.0]], &[[2.0, 3.0, 4.0, 5.0]]);
    assert!(!stats.bit_exact);
    assert_abs_diff_eq!(stats.max_abs, 0.0, epsilon = 1e-15);
    assert_eq!(stats.first_divergence.unwrap().place, Place { position: 0, token: 0 });
}

#[test]
fn the_worst_place_and_the_smallest_tolerance_are_named() {
    let left = [[0.0; VOCAB], [0.0; VOCAB]];
    let right = [[0.0; VOCAB], [0.0, 0.0, 1.0, 0.0]];
    let stats = check(&left, &right);
    let log_sum = (3.0 + 1.0_f64.exp()).ln();
    assert_abs_diff_eq!(stats.max_abs, (1.0 - log_sum) + 4.0_f64.ln(), epsilon = 1e-12);
    assert_eq!(stats.worst, Some(Place { position: 1, token: 2 }));
    assert_eq!(stats.smallest_tolerance, stats.max_abs);
    assert_abs_diff_eq!(stats.identical_fraction, 7.0 / 8.0);
    assert_abs_diff_eq!(stats.top1_agreement, 0.5);
}

#[test]
fn what_is_not_finite_is_counted_on_its_side() {
    let stats = check(&[[0.0; VOCAB]], &[[0.0, f32::NAN, f32::INFINITY, 0.0]]);
    assert_eq!((stats.left_not_finite, stats.right_not_finite), (0, 2));
    let both = [[0.0, f32::NAN, 0.0, 0.0]];
    let stats = check(&both, &both);
    assert_eq!((stats.left_not_finite, stats.right_not_finite), (1, 1));
}

#[test]
fn coded_log_probs_are_measured_by_themselves() {
    let stats = compare_coded(&[-1.0, -2.0, -3.0], &[-1.0, -2.5, f64::NAN]).unwrap();
    assert_eq!((stats.positions, stats.identical), (3, 1));
    assert_eq!((stats.first, stats.worst), (Some(1), Some(1)));
    assert_eq!((stats.max_abs, stats.p999_abs), (0.5, 0.5));
    assert_eq!((stats.left_not_finite, stats.right_not_finite), (0, 1));
    assert_eq!(compare_coded(&[-1.0], &[]).unwrap_err().code, ErrorCode::Runner);
}

#[test]
fn a_file_of_the_wrong_length_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = rows_file(&dir, "good", &[[0.0; VOCAB]]);
    let bad = RowsFile {
        rows: 2,
        ..good.clone()
    };
    let coded = [0.0, 0.0];
    let error = compare(
        Side {
            rows: &bad,
            coded: &coded,
        },
        Side {
            rows: &bad,
            coded: &coded,
        },
    )
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::Runner);
}
