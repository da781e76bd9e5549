use super::*;
use crate::golden::synthetic::Lcg;
use crate::model::provenance::Hash;

/// The cell as FORMAT.md states it, in floating point throughout.
fn stated_cell(cells: u32, v: f64, k: u32) -> i32 {
    (f64::from(cells) * position(v) - f64::from(offset_numerator(k)) / 65536.0).floor() as i32
}

fn log_odds(lcg: &mut Lcg) -> f64 {
    let fine = f64::from(lcg.draw()) / 65536.0;
    (f64::from(lcg.draw_logit(1.0)) + fine / 32768.0) * [0.01, 1.0, 10.0, 40.0, 600.0][lcg.draw() as usize % 5]
}

#[test]
fn the_table_is_the_one_of_the_format() {
    let bytes: Vec<u8> = probability_table()
        .iter()
        .flat_map(|entry| entry.to_le_bytes())
        .collect();
    assert_eq!(
        Hash::of(&bytes).to_string(),
        "d57d909444c5be0acce763d96ef5c4a8a51f1c72297fd501336366a687fe4f5b"
    );
    for (j, &entry) in probability_table().iter().enumerate() {
        let t = ((j as f64 + 0.5) * PI / 8192.0).tan();
        let exact = 65536.0 * t.powi(3) / (1.0 + t.powi(3));
        assert!(
            (f64::from(entry) - exact.clamp(1.0, 65535.0)).abs() <= 0.5 + 1e-6,
            "entry {j}"
        );
    }
    assert!(probability_table().is_sorted());
}

#[test]
fn bit_costs_are_the_negative_logarithm() {
    for p in 1..PROBABILITY_ONE {
        let exact = -(f64::from(p) / 65536.0).log2() * 65536.0;
        // Truncation makes the logarithm too small by less than a unit in each of 16 steps.
        assert!((-0.5..16.0).contains(&(f64::from(bit_cost(p)) - exact)), "p = {p}");
    }
    assert_eq!(bit_costs(32_768), [65_536, 65_536]);
    assert_eq!(bit_costs(1)[1], 16 * 65_536);
}

#[test]
fn positions_rise_from_0_to_1() {
    assert_eq!(position(0.0), 0.5);
    let mut before = 0.0;
    for step in -2000..=2000 {
        let v = f64::from(step) / 50.0;
        let here = position(v);
        assert!((0.0..=1.0).contains(&here) && here >= before);
        assert!((here + position(-v) - 1.0).abs() < 1e-15);
        before = here;
    }
    assert_eq!(position(30.0), position(600.0));
    assert_eq!(position(-30.0), position(f64::NEG_INFINITY));
}

/// Beyond the limit all log-odds have one position; it must not lie where languages could find different cells.
#[test]
fn the_limits_lie_clear_of_every_boundary() {
    for cells in 2..=MAX_CELLS {
        for v in [-LIMIT, LIMIT] {
            let scaled = f64::from(cells) * position(v) * 65536.0;
            assert!((scaled - scaled.round()).abs() > 1e-5, "N = {cells}");
        }
    }
}

/// Within the limit the slack is wider than what rounding does to a position, so that a safe cell is safe at eps 0 too.
#[test]
fn the_slack_is_wider_than_rounding() {
    for step in -3000..3000 {
        let v = f64::from(step) / 100.0;
        let moved = position(v + SLACK / 2.0) - position(v);
        assert!(moved > 8.0 * f64::EPSILON * position(v), "v = {v}");
    }
}

#[test]
fn cells_are_those_of_the_stated_formula() {
    let mut lcg = Lcg::new(100);
    for cells in [2, 3, 4, 6, 8, 12, 48, 96, 1000, 1536, 2048, 4095, 4096] {
        let grid = Grid::new(cells, 1e-5);
        for _ in 0..20_000 {
            let (v, k) = (log_odds(&mut lcg), lcg.draw() % MAX_OFFSETS);
            let cell = grid.cell(v, k);
            assert_eq!(cell, stated_cell(cells, v, k), "N = {cells}, v = {v}, k = {k}");
            assert!((-1..=cells as i32).contains(&cell));
        }
    }
}

#[test]
fn who_lies_within_eps_of_a_safe_place_finds_its_cell() {
    let mut lcg = Lcg::new(101);
    let mut unsafe_places = 0;
    for (cells, eps) in [(2048, 0.0), (48, 1e-5), (24, 5e-5), (8, 1e-3), (3, 2e-2)] {
        let grid = Grid::new(cells, eps);
        for _ in 0..100_000 {
            let (v, k) = (log_odds(&mut lcg), lcg.draw() % 32);
            if !grid.is_safe(v, k, grid.guard()) {
                unsafe_places += 1;
                continue;
            }
            for there in [v - 2.0 * eps, v - eps, v, v + eps, v + 2.0 * eps] {
                assert_eq!(grid.cell(there, k), grid.cell(v, k), "N = {cells}, v = {v}, k = {k}");
            }
        }
    }
    assert!(unsafe_places > 100);
}

/// What a reader within eps makes of log-odds `v` between two parts of the whole mass, at the worst: one part moves by eps, and the
/// other makes up for it without moving further.
fn worst_log_odds(v: f64, eps: f64) -> Vec<f64> {
    // The smaller part, and how many times it goes into the larger: both without loss, whatever v.
    let ratio = (-v.abs()).exp();
    let smaller = ratio / (1.0 + ratio);
    let larger = 1.0 / (1.0 + ratio);
    let mut found = Vec::new();
    for moved in [eps, -eps] {
        // ln(1 - smaller * e^moved) - ln(larger), and the same with the parts exchanged.
        for (part, other, sign) in [(smaller, larger, -1.0), (larger, smaller, 1.0)] {
            let made_up = (-part * moved.exp_m1() / other).ln_1p();
            if made_up.abs() <= eps {
                found.push(v.abs() + sign * (moved - made_up));
            }
        }
    }
    found.into_iter().map(|there| there.copysign(v)).collect()
}

#[test]
fn who_lies_within_eps_of_a_safe_leader_finds_its_cell() {
    let (mut safe, mut unsafe_but_for_it) = (0, 0);
    for (cells, eps) in [
        (2048, 1e-9),
        (96, 1e-6),
        (48, 1e-5),
        (24, 5e-5),
        (8, 1e-3),
        (4, 2e-2),
        (3, 0.1),
        (2, 0.25),
        (2, 0.3),
        (2, 0.9),
    ] {
        let grid = Grid::new(cells, eps);
        for step in 0..20_000 {
            // Leaders of a lead of at least 1 have log-odds down to -ln(V - 1) + 1; the guard holds for any.
            let v = f64::from(step - 6000) / 500.0 + 1.0 / 3000.0;
            let guard = grid.leader_guard(v);
            assert!(guard > eps && guard <= grid.guard());
            let k = step as u32 % 32;
            for there in worst_log_odds(v, eps) {
                assert!(
                    (there - v).abs() <= guard - SLACK / 2.0,
                    "eps {eps}, v {v}, there {there}"
                );
                if grid.is_safe(v, k, guard) {
                    safe += 1;
                    unsafe_but_for_it += usize::from(!grid.is_safe(v, k, grid.guard()));
                    assert_eq!(
                        grid.cell(there, k),
                        grid.cell(v, k),
                        "N = {cells}, eps {eps}, v {v}, k {k}"
                    );
                }
            }
        }
    }
    assert!(safe > 100_000 && unsafe_but_for_it > 1000, "{safe} {unsafe_but_for_it}");
}

/// The guard is hardly wider than what it is against: a little above eps where one part is much the larger.
#[test]
fn the_leader_guard_is_tight() {
    for eps in [1e-6, 1e-5, 5e-5, 1e-3, 2e-2] {
        let grid = Grid::new(12, eps);
        for v in [-8.0f64, -1.0, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0] {
            let most = worst_log_odds(v, eps)
                .into_iter()
                .map(|there| (there - v).abs())
                .fold(0.0, f64::max);
            let guard = grid.leader_guard(v);
            assert!(
                (most..most * (1.0 + 4.0 * eps) + 2.0 * SLACK).contains(&guard),
                "{most} {guard}"
            );
        }
        assert!(grid.leader_guard(8.0) < 1.001 * eps + SLACK);
    }
}

#[test]
fn leads_are_told_alike_within_eps() {
    let mut lcg = Lcg::new(102);
    let (mut led, mut unsafe_leads) = (0, 0);
    for eps in [0.0, 1e-5, 1e-3, 2e-2, 0.3] {
        let grid = Grid::new(12, eps);
        for k in 0..MAX_OFFSETS {
            let least = 1.0 + f64::from(offset_numerator(k)) / 65536.0;
            assert!(!grid.leads(least, k) && !grid.leads_safely(least, k));
            assert!(grid.leads(2.0, k) && !grid.leads(1.0, k) && !grid.leads(0.0, k));
            for step in 0..400 {
                let lead = if step % 2 == 0 {
                    f64::from(lcg.draw()) / 65536.0 * 3.0
                } else {
                    least + (f64::from(lcg.draw()) / 32768.0 - 1.0) * 3.0 * grid.guard()
                };
                let leads = grid.leads(lead, k);
                assert_eq!(leads, lead > least);
                led += usize::from(leads);
                if grid.leads_safely(lead, k) {
                    // So far a lead moves: one logit by eps up, the other by eps down. Then the first still leads.
                    assert_eq!(grid.leads(lead - 2.0 * eps, k), leads);
                    assert_eq!(grid.leads(lead + 2.0 * eps, k), leads);
                    assert!(!leads || lead > 2.0 * eps);
                } else {
                    unsafe_leads += 1;
                    assert!((lead - least).abs() <= grid.guard());
                }
            }
        }
    }
    assert!(led > 10_000 && unsafe_leads > 10_000, "{led} {unsafe_leads}");
}

#[test]
fn indices_are_the_middles_of_cells() {
    for cells in [2, 3, 7, 48, 2048, 4096] {
        let grid = Grid::new(cells, 0.0);
        for k in 0..MAX_OFFSETS {
            let mut before = 0;
            for c in -1..=cells as i32 {
                let index = grid.probability_index(c, k);
                let start = f64::from(c) + f64::from(offset_numerator(k)) / 65536.0;
                let clip = |place: f64| place.clamp(0.0, f64::from(cells));
                let middle = (clip(start) + clip(start + 1.0)) / 2.0 / f64::from(cells) * 4096.0;
                assert_eq!(
                    index,
                    (middle.floor() as u32).min(4095),
                    "N = {cells}, c = {c}, k = {k}"
                );
                assert!(index >= before);
                before = index;
                assert!((1..PROBABILITY_ONE).contains(&grid.probability(c, k)));
            }
        }
    }
}
