//! The promise of the guard band: a reader whose log-probs all lie within eps, even where an adversary chose them, takes the
//! writer's leaders for such and finds the writer's cells.

use super::*;
use crate::codec::block::{choose_parameters, encode_lane};
use crate::codec::grid::{offset_numerator, position};
use crate::codec::lane_paths::LanePaths;
use crate::codec::testing::{draw_led_row, draw_likely_token};
use crate::golden::synthetic::Lcg;
use crate::model::source::Row;

const VOCAB_SIZE: usize = 29;
const OFFSETS: u32 = 32;

/// Logits move by multiples of this, so that those of a led row, of at most 17 bits, move exactly in binary32.
const UNIT: f64 = 1.0 / (1 << 20) as f64;

/// A row as one side sees it.
fn seen(row: &[f32]) -> Tree {
    let mut tree = Tree::new(row.len());
    tree.take_row(Row::F32(row)).unwrap();
    tree
}

/// Everything that one side derives from a row for a token under an offset.
#[derive(Debug, PartialEq)]
struct Derived {
    /// The leader, where it leads.
    leader: Option<u32>,
    cells: Vec<i32>,
}

/// What could be made to differ: how far it is from doing so, in guards, and the ids whose logits must rise for that.
struct Target {
    distance: f64,
    up: Vec<bool>,
}

/// Derives what `tree` says of `id`, and adds what could differ to `targets`.
fn derive(tree: &mut Tree, id: u32, grid: Grid, k: u32, targets: &mut Vec<Target>) -> Derived {
    let leader = tree.leader();
    let ids = 0..tree.vocab_size() as u32;
    let only_leader: Vec<bool> = ids.clone().map(|other| other == leader.id).collect();
    let others: Vec<bool> = only_leader.iter().map(|is_leader| !is_leader).collect();
    let side = |rise: bool| if rise { only_leader.clone() } else { others.clone() };
    let beyond_lead = leader.lead - 1.0 - f64::from(offset_numerator(k)) / 65536.0;
    targets.push(Target {
        distance: beyond_lead.abs() / grid.guard(),
        up: side(beyond_lead < 0.0),
    });
    let mut cells = Vec::new();
    let leads = grid.leads(leader.lead, k);
    let leaves = if leads {
        let v = tree.leader_log_odds();
        let (distance, rise) = nearest_boundary(v, grid, k);
        targets.push(Target {
            distance: distance / grid.leader_guard(v),
            up: side(rise),
        });
        cells.push(grid.cell(v, k));
        Leaves::Others
    } else {
        Leaves::All
    };
    if !leads || id != leader.id {
        for level in 0..tree.depth() {
            let shift = tree.depth() - level;
            let Some(v) = tree.log_odds(leaves, level, id >> shift) else {
                continue;
            };
            let (distance, rise) = nearest_boundary(v, grid, k);
            targets.push(Target {
                distance: distance / grid.guard(),
                // Those outside the node, the leader among them, do not care; they go with the left half.
                up: ids
                    .clone()
                    .map(|other| other >> shift == id >> shift && ((other >> (shift - 1)) & 1 == 1) == rise)
                    .collect(),
            });
            cells.push(grid.cell(v, k));
        }
    }
    Derived {
        leader: leads.then_some(leader.id),
        cells,
    }
}

/// How far log-odds are from the nearest boundary of the grid, and whether it lies above.
fn nearest_boundary(v: f64, grid: Grid, k: u32) -> (f64, bool) {
    let place = f64::from(grid.cells()) * position(v) - f64::from(offset_numerator(k)) / 65536.0;
    let slope = f64::from(grid.cells()) * (position(v + 1e-4) - position(v - 1e-4)) / 2e-4;
    let below = place - place.floor();
    if below < 0.5 {
        (below / slope, false)
    } else {
        ((1.0 - below) / slope, true)
    }
}

/// The largest difference of a log-prob of two rows.
fn distance(here: &[f32], there: &[f32]) -> f64 {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    seen(here).log_probs(&mut a);
    seen(there).log_probs(&mut b);
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The row with the logits of `up` as much higher than the others as log-probs within `eps` allow: the others make up for what the risen
/// ones gain.
fn attack(row: &[f32], up: &[bool], eps: f64) -> Vec<f32> {
    let risen = |units: u32| -> Vec<f32> {
        let moved = row.iter().zip(up).map(|(&logit, &up)| {
            let moved = f64::from(logit) + if up { UNIT * f64::from(units) } else { 0.0 };
            assert_eq!(f64::from(moved as f32), moved, "the move must be exact");
            moved as f32
        });
        moved.collect()
    };
    let (mut within, mut beyond) = (0, (2.0 * eps / UNIT) as u32 + 1);
    while beyond - within > 1 {
        let middle = within.midpoint(beyond);
        if distance(row, &risen(middle)) <= eps {
            within = middle;
        } else {
            beyond = middle;
        }
    }
    risen(within)
}

/// What became of a lane under attack.
#[derive(Debug, Default)]
struct Outcome {
    decisions: usize,
    /// How many of them were *leader or not*.
    leader_decisions: usize,
    /// Tokens of which the reader derived something else.
    differing: usize,
}

/// Codes `tokens` tokens, and decodes them from rows that an adversary moved by `strength` * eps.
fn decide(seed: u32, eps: f64, strength: f64, tokens: usize) -> Outcome {
    let mut lcg = Lcg::new(seed);
    let mut tree = Tree::new(VOCAB_SIZE);
    let mut rows = Vec::new();
    let mut lane = LanePaths::default();
    for _ in 0..tokens {
        let row = draw_led_row(&mut lcg, VOCAB_SIZE);
        tree.take_row(Row::F32(&row)).unwrap();
        let id = draw_likely_token(&mut lcg, &tree, &row);
        lane.push(&mut tree, id);
        rows.push((row, id));
    }
    let parameters = choose_parameters(std::slice::from_ref(&lane), eps, OFFSETS, VOCAB_SIZE);
    let stream = encode_lane(&lane, parameters, eps, OFFSETS, VOCAB_SIZE);
    let mut decoder = LaneDecoder::new(stream, parameters, eps, OFFSETS);
    let mut outcome = Outcome::default();
    for (row, id) in rows {
        // What this block is coded with is only known to a decoder that has begun it.
        let mut ahead = decoder.clone();
        assert_eq!(ahead.decode(&mut seen(&row)), Ok(id));
        let (k, grid) = (ahead.offset, decoder.grid);
        if k == OFFSETS {
            decoder = ahead;
            continue;
        }
        let mut targets = Vec::new();
        let here = derive(&mut seen(&row), id, grid, k, &mut targets);
        let weakest = targets.iter().min_by(|a, b| a.distance.total_cmp(&b.distance)).unwrap();
        let moved = attack(&row, &weakest.up, strength * eps);
        assert!(distance(&row, &moved) <= strength * eps);
        let there = derive(&mut seen(&moved), id, grid, k, &mut targets);
        outcome.decisions += here.cells.len();
        outcome.leader_decisions += usize::from(here.leader.is_some());
        outcome.differing += usize::from(here != there);
        if strength <= 1.0 {
            assert_eq!(decoder.decode(&mut seen(&moved)), Ok(id));
        } else {
            decoder = ahead;
        }
    }
    outcome
}

#[test]
fn decisions_under_an_adversary_of_strength_eps() {
    let mut total = Outcome::default();
    for (seed, eps) in (200..).zip([1e-6, 1e-5, 5e-5, 1e-4, 1e-3, 1e-2, 2e-2, 0.2]) {
        let outcome = decide(seed, eps, 1.0, 60_000);
        assert_eq!(outcome.differing, 0, "the reader differs at eps {eps}: {outcome:?}");
        total.decisions += outcome.decisions;
        total.leader_decisions += outcome.leader_decisions;
    }
    assert!(total.decisions >= 1_000_000, "{total:?}");
    assert!(total.leader_decisions >= 160_000, "{total:?}");
}

#[test]
fn the_adversary_is_a_real_one() {
    for (seed, (eps, strength)) in (300..).zip([(5e-5, 3.0), (1e-3, 1.5), (2e-2, 1.2)]) {
        let outcome = decide(seed, eps, strength, 4000);
        assert!(
            outcome.differing > 0,
            "nothing differs although the noise is {strength} * {eps}"
        );
    }
}

/// What the leader's guard rests on, with whole rows: all others rise by eps and the leader makes up for it, or they fall.
#[test]
fn the_leader_under_an_adversary_at_any_probability() {
    let mut lcg = Lcg::new(400);
    let mut safe = 0;
    for eps in [1e-5, 1e-3, 2e-2, 0.2] {
        let grids: Vec<Grid> = crate::codec::block::candidates(eps)
            .iter()
            .map(|candidate| Grid::new(candidate.cells, eps))
            .collect();
        for step in 0..600 {
            let mut row = draw_led_row(&mut lcg, VOCAB_SIZE);
            row[step % VOCAB_SIZE] = 7.5 - step as f32 / 64.0;
            let here = seen(&row);
            let leader = here.leader();
            if leader.lead <= 1.0 {
                continue;
            }
            let (v, mut least, mut most) = (here.leader_log_odds(), f64::INFINITY, 0.0);
            for rise in [false, true] {
                let up: Vec<bool> = (0..VOCAB_SIZE as u32).map(|id| (id == leader.id) == rise).collect();
                let moved = attack(&row, &up, eps);
                let there = seen(&moved).leader_log_odds();
                least = f64::min(least, (there - v).abs());
                most = f64::max(most, (there - v).abs());
                for grid in &grids {
                    for k in 0..OFFSETS {
                        if grid.leads(leader.lead, k) && grid.leads_safely(leader.lead, k) {
                            assert_eq!(seen(&moved).leader().id, leader.id);
                            if grid.is_safe(v, k, grid.leader_guard(v)) {
                                safe += 1;
                                assert_eq!(grid.cell(v, k), grid.cell(there, k), "eps {eps}, v {v}");
                            }
                        }
                    }
                }
            }
            let guard = grids[0].leader_guard(v);
            assert!(most <= guard, "{most} at {v}, where the guard is {guard}");
            // Nor is the guard much wider than what it is against, but for the unit in which the adversary moves.
            assert!(
                least >= guard * 0.6 - 2.0 * UNIT,
                "{least} at {v}, where the guard is {guard}"
            );
        }
    }
    assert!(safe > 100_000, "only {safe} safe places");
}
