use proptest::prelude::*;

use super::*;
use crate::golden::synthetic::Lcg;

fn encode(decisions: &[(bool, u32)]) -> Vec<u8> {
    let mut encoder = BitEncoder::new();
    for &(bit, p) in decisions {
        encoder.encode(bit, p);
    }
    encoder.finish()
}

fn check(decisions: &[(bool, u32)]) {
    let stream = encode(decisions);
    assert!(!stream.is_empty());
    let mut decoder = BitDecoder::new(stream);
    for &(bit, p) in decisions {
        assert_eq!(decoder.decode(p), Ok(bit));
    }
}

fn likely(seed: u32, count: usize) -> Vec<(bool, u32)> {
    let mut lcg = Lcg::new(seed);
    let mut decision = || {
        let p = lcg.draw().max(1);
        (lcg.draw() < p, p)
    };
    (0..count).map(|_| decision()).collect()
}

#[test]
fn bits_come_back() {
    check(&[]);
    for p in [1, 2, 32_767, 32_768, 65_534, 65_535] {
        for bit in [false, true] {
            for count in [1, 7, 8, 31, 32, 33, 1000] {
                check(&vec![(bit, p); count]);
            }
        }
    }
    check(&likely(5, 100_000));
}

proptest! {
    #[test]
    fn any_bits_come_back(decisions in prop::collection::vec((any::<bool>(), 1..PROBABILITY_ONE), 0..400)) {
        check(&decisions);
    }
}

#[test]
fn a_stream_is_as_long_as_its_bits_cost() {
    for (seed, count) in (0..300).map(|seed| (seed, 2 * seed as usize)).chain([(6, 100_000)]) {
        let decisions = likely(seed, count);
        let bits: f64 = decisions
            .iter()
            .map(|&(bit, p)| -(f64::from(if bit { p } else { PROBABILITY_ONE - p }) / 65536.0).log2())
            .sum();
        let excess = 8.0 * encode(&decisions).len() as f64 - bits;
        // The end takes a bit more than what is due, or less than one too few; the filling of the last byte seven at most. Splitting
        // rounds a little, either way.
        let rounding = 1e-4 * count as f64;
        assert!(
            (-1.0 - rounding..=8.0 + rounding).contains(&excess),
            "{excess} bits more than the {bits} that {count} decisions cost"
        );
    }
}

#[test]
fn a_stream_that_ends_too_early_is_an_error() {
    let decisions = likely(7, 2000);
    let stream = encode(&decisions);
    for length in [0, 1, stream.len() / 2, stream.len() - 5] {
        let mut decoder = BitDecoder::new(stream[..length].to_vec());
        // Sooner or later bits are missing; until then any bit may be found.
        let error = (0..20_000).find_map(|_| decoder.decode(32_768).err());
        assert_eq!(
            error.map(|error| error.code),
            Some(ErrorCode::Divergence),
            "cut to {length}"
        );
    }
}

#[test]
fn a_whole_stream_never_ends_too_early() {
    for seed in 0..200 {
        check(&likely(seed, seed as usize));
    }
}

#[test]
fn an_adaptive_bit_learns_and_forgets() {
    let mut bit = AdaptiveBit::default();
    assert_eq!(bit.probability(), 32_768);
    bit.update(true);
    assert_eq!(bit.probability(), 3 * 65_536 / 5);
    for _ in 0..10_000 {
        bit.update(true);
        assert!(bit.n0 + bit.n1 < ADAPTIVE_LIMIT);
    }
    assert!(bit.probability() > 65_536 * 250 / 258);
    for _ in 0..1000 {
        bit.update(false);
    }
    assert!(bit.probability() < 65_536 * 6 / 258);
}

#[test]
fn counts_are_halved_when_they_reach_the_limit() {
    let mut bit = AdaptiveBit { n0: 3, n1: 251 };
    bit.update(true);
    assert_eq!(bit, AdaptiveBit { n0: 1, n1: 126 });
}
