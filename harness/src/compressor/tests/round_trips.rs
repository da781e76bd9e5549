//! Tests that every input comes back.

use super::*;

#[test]
fn text_is_compressed() {
    let summary = check(PROSE.repeat(10).as_bytes(), &options());
    assert_eq!(summary.tokens, 570);
    assert!(summary.container_bytes < 570);
    let stream_bits = 8.0 * summary.stream_bytes as f64;
    assert!((summary.entropy_bits..summary.entropy_bits * 1.01 + 16.0).contains(&stream_bits));
}

#[test]
fn awkward_inputs_come_back() {
    let noise: Vec<u8> = (0..1000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let inputs: [&[u8]; 9] = [
        b"",
        b"a",
        b"\x00",
        b"\xFF",
        b"\x07\x07\x07",
        b"text \xC3 broken \xF0\x9F off",
        "Ünïcödé, 日本語, 😀👩‍👩‍👧\r\n\0 and so on".as_bytes(),
        &noise,
        &[PROSE.as_bytes(), &noise, PROSE.as_bytes()].concat(),
    ];
    for plain in inputs {
        for lanes in [1, 4, 256] {
            for frame_bytes in [1, 50, CompressOptions::DEFAULT_FRAME_BYTES] {
                let options = CompressOptions {
                    lanes: Lanes::Fixed(lanes),
                    frame_bytes,
                    ..options()
                };
                check(plain, &options);
            }
        }
    }
}

#[test]
fn tokens_of_stored_frames_do_not_count() {
    let summary = check(b"\xFF\xFE", &options());
    assert_eq!(
        (summary.tokens, summary.entropy_bits, summary.stream_bytes),
        (0, 0.0, 0)
    );
    assert_eq!(summary.tokens_sha256, Hash::of(b""));
    let summary = check(b"aaaa", &options());
    assert_eq!(summary.tokens, 0, "four bytes are shorter stored");
}

#[test]
fn the_token_hash_is_of_little_endian_ids() {
    let plain = PROSE.repeat(4);
    let summary = check(plain.as_bytes(), &options());
    let bytes: Vec<u8> = plain.bytes().flat_map(|byte| u32::from(byte).to_le_bytes()).collect();
    assert_eq!(summary.tokens_sha256, Hash::of(&bytes));
}

fn arbitrary_plain() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::collection::vec(
        prop_oneof![Just(PROSE.to_owned()), "\\PC{0,20}", "[a-z 0-9]{0,60}"],
        0..6,
    );
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        text.clone().prop_map(|parts| parts.concat().into_bytes()),
        (
            text,
            prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5)
        )
            .prop_map(|(parts, bytes)| {
                let mut plain = parts.concat().into_bytes();
                for (place, byte) in bytes {
                    plain.insert(place.index(plain.len() + 1), byte);
                }
                plain
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_come_back(
        plain in arbitrary_plain(),
        lanes in prop_oneof![1usize..6, Just(256)],
        frame_bytes in prop_oneof![1usize..400, Just(1 << 20)],
        (window, overlap) in (2usize..100).prop_flat_map(|window| (Just(window), 0..window)),
        eps in prop::sample::select(vec!["0", "1e-9", "1e-5", "5e-5", "1e-3", "2e-2", "0.5"]),
    ) {
        let context = ContextPolicy { window, overlap, ..options().context };
        check(&plain, &CompressOptions { lanes: Lanes::Fixed(lanes), frame_bytes, context, eps: eps.parse().unwrap(), ..options() });
    }
}
