use std::path::Path;

use super::*;

#[test]
fn the_committed_vectors_are_what_the_codec_makes_now() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/codec/vectors.json");
    let made = codec_vectors_text().unwrap();
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        made == committed,
        "golden/codec/vectors.json differs from what the codec makes (`cargo run -- golden write --codec` replaces it), first in: {:?}",
        std::iter::zip(made.lines(), committed.lines()).find(|(made, committed)| made != committed)
    );
}

#[test]
fn the_text_is_the_vectors() {
    let value: Value = serde_json::from_str(&codec_vectors_text().unwrap()).unwrap();
    assert_eq!(value, codec_vectors().unwrap());
}
