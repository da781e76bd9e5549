use proptest::prelude::*;

use super::*;
use crate::ErrorCode;
use crate::codec::arithmetic_coder::{AdaptiveBit, BitEncoder, PROBABILITY_ONE};
use crate::codec::grid::{Grid, bit_cost, offset_numerator};
use crate::codec::lane_paths::LanePaths;
use crate::codec::testing::{draw_led_row, draw_likely_token};
use crate::codec::tree::{Decision, Leader, Leaves, Tree, tree_depth};
use crate::golden::synthetic::Lcg;
use crate::model::source::Row;

/// A lane and what predicts its tokens.
struct Sample {
    vocab_size: usize,
    rows: Vec<Vec<f32>>,
    tokens: Vec<StatedToken>,
    lane: LanePaths,
}

/// A token with all decisions that it may have, needed or not.
struct StatedToken {
    id: u32,
    leader: Leader,
    leader_log_odds: f64,
    without_leader: Vec<Decision>,
    plain: Vec<Decision>,
}

impl StatedToken {
    fn new(tree: &mut Tree, id: u32) -> Self {
        Self {
            id,
            leader: tree.leader(),
            leader_log_odds: tree.leader_log_odds(),
            without_leader: tree.path(Leaves::Others, id).collect(),
            plain: tree.path(Leaves::All, id).collect(),
        }
    }

    /// What the token costs under offset `k`, or nothing where it is not safe.
    fn stated_cost(&self, grid: Grid, k: u32, cost: impl Fn(bool, u32) -> u64) -> Option<u64> {
        let of = |decision: &Decision, guard: f64| {
            let v = decision.log_odds;
            let safe = grid.cell(v - guard, k) == grid.cell(v + guard, k);
            safe.then(|| cost(decision.bit, grid.probability(grid.cell(v, k), k)))
        };
        let tree = |path: &[Decision]| -> Option<u64> { path.iter().map(|decision| of(decision, grid.guard())).sum() };
        let least = 1.0 + f64::from(offset_numerator(k)) / 65536.0;
        if (self.leader.lead - least).abs() <= grid.guard() {
            return None;
        }
        if self.leader.lead <= least {
            return tree(&self.plain);
        }
        let led = Decision {
            bit: self.id == self.leader.id,
            log_odds: self.leader_log_odds,
        };
        let first = of(&led, grid.leader_guard(led.log_odds))?;
        Some(first + if led.bit { 0 } else { tree(&self.without_leader)? })
    }
}

/// Rows of one spread and a token in four out of place, or rows of which some have a leader and tokens that are as likely as they say.
fn sample(seed: u32, vocab_size: usize, spread: Option<f32>, tokens: usize) -> Sample {
    let mut lcg = Lcg::new(seed);
    let mut tree = Tree::new(vocab_size);
    let mut sample = Sample {
        vocab_size,
        rows: Vec::new(),
        tokens: Vec::new(),
        lane: LanePaths::default(),
    };
    for _ in 0..tokens {
        let row = match spread {
            Some(spread) => lcg.draw_row(vocab_size, spread),
            None => draw_led_row(&mut lcg, vocab_size),
        };
        tree.take_row(Row::F32(&row)).unwrap();
        let id = match spread {
            Some(_) => lcg.draw_token(&row),
            None => draw_likely_token(&mut lcg, &tree, &row),
        };
        sample.lane.push(&mut tree, id);
        sample.tokens.push(StatedToken::new(&mut tree, id));
        sample.rows.push(row);
    }
    sample
}

fn decode(sample: &Sample, stream: Vec<u8>, parameters: Parameters, eps: f64, offsets: u32) -> Vec<u32> {
    let mut decoder = LaneDecoder::new(stream, parameters, eps, offsets);
    let rows = sample.rows.iter();
    rows.map(|row| {
        let mut tree = Tree::new(row.len());
        tree.take_row(Row::F32(row)).unwrap();
        decoder.decode(&mut tree).unwrap()
    })
    .collect()
}

/// What a lane costs and its blocks' offsets, as FORMAT.md section 8 states it.
fn stated_choice(sample: &Sample, parameters: Parameters, eps: f64, offsets: u32) -> (u64, Vec<u32>) {
    let grid = Grid::new(parameters.cells, eps);
    let mut unary = vec![AdaptiveBit::default(); offsets as usize];
    let cost = |bit: bool, p: u32| u64::from(bit_cost(if bit { p } else { PROBABILITY_ONE - p }));
    let (mut total, mut chosen) = (0, Vec::new());
    for block in sample.tokens.chunks(parameters.block) {
        let mut choices = Vec::new();
        for k in 0..=offsets {
            let head: u64 = (0..=k).zip(&unary).map(|(i, bit)| cost(i < k, bit.probability())).sum();
            if k == offsets {
                let depth = tree_depth(sample.vocab_size);
                choices.push((head + 65_536 * u64::from(depth) * block.len() as u64, k));
                continue;
            }
            let coded: Option<u64> = block.iter().map(|token| token.stated_cost(grid, k, cost)).sum();
            choices.extend(coded.map(|coded| (head + coded, k)));
        }
        let (least, k) = choices.into_iter().min().unwrap();
        for (i, bit) in (0..=k).zip(&mut unary) {
            bit.update(i < k);
        }
        total += least;
        chosen.push(k);
    }
    (total, chosen)
}

fn check(seed: u32, vocab_size: usize, spread: Option<f32>, tokens: usize, eps: f64, offsets: u32) -> Vec<u32> {
    let lanes: Vec<Sample> = (0..3)
        .map(|lane| sample(seed + lane, vocab_size, spread, tokens / (1 + lane as usize)))
        .collect();
    let paths: Vec<LanePaths> = lanes.iter().map(|sample| sample.lane.clone()).collect();
    let chosen = choose_parameters(&paths, eps, offsets, vocab_size);
    let cost = |parameters: &Parameters| -> u64 {
        lanes
            .iter()
            .map(|sample| stated_choice(sample, *parameters, eps, offsets).0)
            .sum()
    };
    let stated = candidates(eps).into_iter().min_by_key(cost).unwrap();
    assert_eq!(chosen, stated);
    let mut all_offsets = Vec::new();
    for sample in &lanes {
        let stream = encode_lane(&sample.lane, chosen, eps, offsets, vocab_size);
        let (cost, offsets_of_blocks) = stated_choice(sample, chosen, eps, offsets);
        let excess = 8.0 * stream.len() as f64 - cost as f64 / 65536.0;
        assert!((-1.0..50.0).contains(&excess), "{excess} bits more than they cost");
        let ids: Vec<u32> = sample.tokens.iter().map(|token| token.id).collect();
        assert_eq!(decode(sample, stream, chosen, eps, offsets), ids);
        all_offsets.extend(offsets_of_blocks);
    }
    all_offsets
}

#[test]
fn writers_choose_what_the_format_says_and_readers_follow() {
    let mut offsets = Vec::new();
    for (i, eps) in [0.0, 1e-9, 1e-6, 1e-5, 5e-5, 1e-3, 5e-3, 2e-2, 0.5]
        .into_iter()
        .enumerate()
    {
        let seed = 1000 * i as u32;
        offsets.extend(check(seed, 2, Some(4.0), 200, eps, 32));
        offsets.extend(check(seed + 10, 7, Some(4.0), 100, eps, 1));
        offsets.extend(check(seed + 20, 100, Some(8.0), 150, eps, 32));
        offsets.extend(check(seed + 30, 257, Some(128.0), 60, eps, 64));
        offsets.extend(check(seed + 40, 29, None, 300, eps, 32));
        offsets.extend(check(seed + 50, 2, None, 100, eps, 64));
    }
    assert!(offsets.contains(&0) && offsets.contains(&3), "too uniform a sample");
    assert!(offsets.contains(&32), "no escape was tried");
}

#[test]
fn lanes_of_no_tokens_cost_nothing() {
    let empty = LanePaths::default();
    assert!(empty.is_empty());
    let parameters = choose_parameters(std::slice::from_ref(&empty), 1e-5, 32, 100);
    assert_eq!(parameters, candidates(1e-5)[0]);
    assert_eq!(encode_lane(&empty, parameters, 1e-5, 32, 100).len(), 1);
}

#[test]
fn candidate_ladders() {
    let cells_of = |eps| {
        let mut cells: Vec<u32> = candidates(eps).iter().map(|candidate| candidate.cells).collect();
        cells.dedup();
        cells
    };
    assert_eq!(cells_of(0.0), [1536, 2048]);
    assert_eq!(cells_of(1e-5), [32, 48, 64]);
    assert_eq!(cells_of(1e-3), [8, 12, 16]);
    assert_eq!(cells_of(0.9), [2, 3]);
    let blocks_of = |eps| -> Vec<usize> {
        let candidates = candidates(eps);
        let first = candidates[0].cells;
        let same = candidates.iter().filter(|candidate| candidate.cells == first);
        same.map(|candidate| candidate.block).collect()
    };
    assert_eq!(blocks_of(1e-3), [4, 8, 16, 32, 64]);
    assert_eq!(blocks_of(5e-4), [64, 128, 256, 512, 1024, 2048, 4096]);
    assert_eq!(blocks_of(0.0), [64, 128, 256, 512, 1024, 2048, 4096]);
}

/// A stream of nothing but ones in its offset index, then raw bits.
fn escaped(raw: &[bool], offsets: u32) -> Vec<u8> {
    let mut encoder = BitEncoder::new();
    for _ in 0..offsets {
        encoder.encode(true, PROBABILITY_ONE / 2);
    }
    for &bit in raw {
        encoder.encode(bit, PROBABILITY_ONE / 2);
    }
    encoder.finish()
}

#[test]
fn an_escaped_id_must_be_one() {
    let mut tree = Tree::new(5);
    tree.take_row(Row::F32(&[0.0; 5])).unwrap();
    let parameters = Parameters { cells: 8, block: 4 };
    for id in 0..8u32 {
        let raw = [id & 4 != 0, id & 2 != 0, id & 1 != 0];
        let mut decoder = LaneDecoder::new(escaped(&raw, 3), parameters, 1e-3, 3);
        let found = decoder.decode(&mut tree);
        if id < 5 {
            assert_eq!(found, Ok(id));
        } else {
            assert_eq!(found.unwrap_err().code, ErrorCode::Divergence);
        }
    }
}

/// A stream says that a token is not the leader, and then leads to the leader nevertheless.
#[test]
fn a_leader_that_was_ruled_out_is_damage() {
    for (vocab_size, leader) in [(2, 0), (2, 1), (3, 2), (7, 3), (257, 256)] {
        let mut row = vec![0.0; vocab_size];
        row[leader as usize] = 3.0;
        let mut tree = Tree::new(vocab_size);
        tree.take_row(Row::F32(&row)).unwrap();
        let parameters = Parameters { cells: 8, block: 4 };
        let grid = Grid::new(parameters.cells, 1e-3);
        let p_of = |log_odds| grid.probability(grid.cell(log_odds, 0), 0);
        let decode = |ruled_out: bool, id: u32| {
            let mut encoder = BitEncoder::new();
            encoder.encode(false, AdaptiveBit::default().probability());
            let mut tree = tree.clone();
            encoder.encode(!ruled_out, p_of(tree.leader_log_odds()));
            if ruled_out {
                for Decision { bit, log_odds } in tree.path(Leaves::Others, id) {
                    encoder.encode(bit, p_of(log_odds));
                }
            }
            LaneDecoder::new(encoder.finish(), parameters, 1e-3, 3).decode(&mut tree)
        };
        assert_eq!(decode(false, leader), Ok(leader));
        for id in 0..vocab_size as u32 {
            let found = decode(true, id);
            if id == leader {
                assert_eq!(found.unwrap_err().code, ErrorCode::Divergence);
            } else {
                assert_eq!(found, Ok(id));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_stream_gives_ids_or_an_error(stream in prop::collection::vec(any::<u8>(), 0..60), seed: u32) {
        let mut lcg = Lcg::new(seed);
        let mut tree = Tree::new(19);
        let parameters = Parameters { cells: 16, block: 3 };
        let mut decoder = LaneDecoder::new(stream, parameters, 1e-3, 4);
        for _ in 0..200 {
            tree.take_row(Row::F32(&lcg.draw_row(19, 4.0))).unwrap();
            match decoder.decode(&mut tree) {
                Ok(id) => prop_assert!(id < 19),
                Err(error) => {
                    prop_assert_eq!(error.code, ErrorCode::Divergence);
                    break;
                }
            }
        }
    }
}
