//! What the codec costs at SmolLM2's vocabulary, without a model: rows taken in, trees summed, lanes written and read.
//! `cargo bench --bench codec`.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![allow(missing_docs, reason = "the macros make functions without documentation")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use half::f16;
use llmzip::codec::block::{LaneDecoder, WRITER_OFFSETS, choose_parameters, encode_lane};
use llmzip::codec::lane_paths::LanePaths;
use llmzip::codec::tree::{Leaves, Tree};
use llmzip::model::source::Row;

const VOCAB_SIZE: usize = 49_152;
const TOKENS: usize = 64;
/// With guards of another size the candidates are others, and so is what their choice costs.
const EPS: [f64; 2] = [0.0, 2e-4];

/// The same rows everywhere, of which one in two has a leader.
fn rows() -> Vec<Vec<f32>> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..TOKENS)
        .map(|token| {
            let mut row: Vec<f32> = (0..VOCAB_SIZE).map(|_| 12.0 * next()).collect();
            if token % 2 == 0 {
                row[(next() * VOCAB_SIZE as f32) as usize] = 24.0;
            }
            row
        })
        .collect()
}

/// A token for each row: its leader, or the id in the middle where there is none.
fn lane_of(rows: &[Vec<f32>]) -> LanePaths {
    let mut tree = Tree::new(VOCAB_SIZE);
    let mut lane = LanePaths::default();
    for row in rows {
        tree.take_row(Row::F32(row)).unwrap();
        let leader = tree.leader();
        let id = if leader.lead > 2.0 {
            leader.id
        } else {
            VOCAB_SIZE as u32 / 2
        };
        lane.push(&mut tree, id);
    }
    lane
}

fn of_rows(criterion: &mut Criterion) {
    let rows = rows();
    let narrow: Vec<f16> = rows[0].iter().map(|&logit| f16::from_f32(logit)).collect();
    let mut tree = Tree::new(VOCAB_SIZE);
    let mut group = criterion.benchmark_group("row");
    group.throughput(Throughput::Elements(1));
    group.bench_function("take in, 32 bits", |bencher| {
        bencher.iter(|| tree.take_row(black_box(Row::F32(&rows[0]))).unwrap());
    });
    group.bench_function("take in, 16 bits", |bencher| {
        bencher.iter(|| tree.take_row(black_box(Row::F16(&narrow))).unwrap());
    });
    group.bench_function("take in and find a path", |bencher| {
        bencher.iter(|| {
            tree.take_row(black_box(Row::F32(&rows[0]))).unwrap();
            tree.path(Leaves::All, VOCAB_SIZE as u32 / 2).count()
        });
    });
    group.finish();
}

fn of_lanes(criterion: &mut Criterion) {
    let rows = rows();
    let lane = lane_of(&rows);
    let mut group = criterion.benchmark_group("lane");
    group.throughput(Throughput::Elements(TOKENS as u64));
    for eps in EPS {
        let lanes = std::slice::from_ref(&lane);
        group.bench_function(format!("choose parameters, eps {eps}"), |bencher| {
            bencher.iter(|| choose_parameters(black_box(lanes), eps, WRITER_OFFSETS, VOCAB_SIZE));
        });
        let parameters = choose_parameters(lanes, eps, WRITER_OFFSETS, VOCAB_SIZE);
        group.bench_function(format!("encode, eps {eps}"), |bencher| {
            bencher.iter(|| encode_lane(black_box(&lane), parameters, eps, WRITER_OFFSETS, VOCAB_SIZE));
        });
        let stream = encode_lane(&lane, parameters, eps, WRITER_OFFSETS, VOCAB_SIZE);
        let mut tree = Tree::new(VOCAB_SIZE);
        group.bench_function(format!("take rows in and decode, eps {eps}"), |bencher| {
            bencher.iter_batched(
                || LaneDecoder::new(stream.clone(), parameters, eps, WRITER_OFFSETS),
                |mut decoder| {
                    for row in &rows {
                        tree.take_row(Row::F32(row)).unwrap();
                        black_box(decoder.decode(&mut tree).unwrap());
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, of_rows, of_lanes);
criterion_main!(benches);
