//! Owns the vectors of whole containers, over the synthetic model and the toy tokenizer.

use serde_json::{Value, json};

use super::{f64_bits, hex};
use crate::Result;
use crate::compressor::{CompressOptions, Lanes, ModelIdentity, compress};
use crate::golden::synthetic::{Lcg, SYNTHETIC_START_TOKEN, SyntheticModel, ToyTokenizer};
use crate::model::context::ContextPolicy;
use crate::model::provenance::Hash;

const PROSE: &str = "a lane is a stretch of tokens with a stream of its own. lanes are decoded in lockstep, 4 or 16 or 256 of \
                     them at once; the windows of a lane follow one another: 0, 1, 2, 3, and so on.\n";

/// What a container is made from.
#[derive(Clone)]
struct Recipe {
    name: &'static str,
    plain: Vec<u8>,
    lanes: usize,
    eps: &'static str,
    window: usize,
    overlap: usize,
    frame_bytes: usize,
    fingerprint: &'static str,
}

pub fn containers() -> Result<Vec<Value>> {
    recipes().iter().map(container).collect()
}

fn recipes() -> Vec<Recipe> {
    let prose = |times: usize| PROSE.repeat(times).into_bytes();
    let text = Recipe {
        name: "text",
        plain: prose(2),
        lanes: 1,
        eps: "1e-5",
        window: 512,
        overlap: 128,
        frame_bytes: CompressOptions::DEFAULT_FRAME_BYTES,
        fingerprint: "synthetic/x64",
    };
    let other = |name, plain| Recipe {
        name,
        plain,
        ..text.clone()
    };
    let mut lcg = Lcg::new(40);
    let noise: Vec<u8> = (0..200).map(|_| (lcg.draw() >> 8) as u8).collect();
    let mut broken = prose(1);
    for (place, bytes) in [
        (150, b"\xED\xA0\x80".as_slice()),
        (90, b"\xFF\xFE"),
        (40, b"\xE2\x82"),
        (0, b"\x80"),
    ] {
        broken.splice(place..place, bytes.iter().copied());
    }
    let mut bells = prose(1);
    bells.insert(120, 7);
    bells.insert(33, 7);
    let faces = format!("{PROSE}😀😀😀😀").repeat(3).into_bytes();
    // The model's favourites, of which a few lead: "bcde" after "a".
    let alphabets = "abcdefghijklmnopqrstuvwxyz abcdefghij 0123456789 nopqrst\n"
        .repeat(6)
        .into_bytes();
    let led = |name, eps| Recipe {
        eps,
        ..other(name, alphabets.clone())
    };
    vec![
        other("empty", Vec::new()),
        other("one byte", b"a".to_vec()),
        other("two bytes of noise", b"\xFF\x00".to_vec()),
        other("noise, stored", noise.clone()),
        text.clone(),
        Recipe {
            eps: "0",
            fingerprint: "",
            ..other("eps 0, no fingerprint", prose(2))
        },
        Recipe {
            eps: "1e-3",
            ..other("eps 1e-3", prose(2))
        },
        Recipe {
            eps: "2e-2",
            ..other("eps 2e-2", prose(2))
        },
        other("invalid UTF-8", broken.clone()),
        other("text that the tokenizer loses", bells),
        Recipe {
            lanes: 5,
            ..other("five lanes", prose(2))
        },
        Recipe {
            lanes: 256,
            ..other("256 lanes asked, stored", prose(1))
        },
        Recipe {
            window: 16,
            overlap: 4,
            ..other("many windows", prose(2))
        },
        Recipe {
            window: 37,
            overlap: 0,
            lanes: 3,
            ..other("many windows without overlap, three lanes", prose(2))
        },
        Recipe {
            frame_bytes: 198,
            ..other("many frames, cut between characters", faces.clone())
        },
        Recipe {
            frame_bytes: 198,
            lanes: 2,
            window: 20,
            overlap: 19,
            eps: "5e-5",
            ..other(
                "frames, lanes, windows, stored and literal",
                [faces, noise, broken].concat(),
            )
        },
        led("leaders, eps 0", "0"),
        led("leaders, eps 1e-5", "1e-5"),
        led("leaders, eps 5e-5", "5e-5"),
        led("leaders, eps 2e-2", "2e-2"),
        Recipe {
            lanes: 4,
            window: 50,
            overlap: 10,
            ..led("leaders, eps 1e-3, four lanes, many windows", "1e-3")
        },
    ]
}

fn container(recipe: &Recipe) -> Result<Value> {
    let [model, tokenizer] = [0, 32]
        .map(|first: u8| std::array::from_fn(|i| first + i as u8))
        .map(Hash);
    let options = CompressOptions {
        model: ModelIdentity {
            model_sha256: model,
            tokenizer_sha256: tokenizer,
        },
        lanes: Lanes::Fixed(recipe.lanes),
        eps: recipe.eps.parse()?,
        context: ContextPolicy {
            start_token: SYNTHETIC_START_TOKEN,
            window: recipe.window,
            overlap: recipe.overlap,
        },
        frame_bytes: recipe.frame_bytes,
        fingerprint: recipe.fingerprint.to_owned(),
    };
    let mut bytes = Vec::new();
    let summary = compress(
        recipe.plain.as_slice(),
        &mut bytes,
        &mut SyntheticModel::new(),
        &ToyTokenizer,
        &options,
        &mut |_| Ok(()),
    )?;
    Ok(json!({
        "name": recipe.name,
        "plain": hex(&recipe.plain),
        "model_sha256": model,
        "tokenizer_sha256": tokenizer,
        "lanes": recipe.lanes,
        "eps": recipe.eps,
        "start_token": SYNTHETIC_START_TOKEN,
        "window": recipe.window,
        "overlap": recipe.overlap,
        "frame_bytes": recipe.frame_bytes,
        "fingerprint": recipe.fingerprint,
        "container": hex(&bytes),
        "plain_sha256": summary.plain_sha256,
        "stream_bytes": summary.stream_bytes,
        "tokens": summary.tokens,
        "tokens_sha256": summary.tokens_sha256,
        "entropy_bits": f64_bits(summary.entropy_bits),
    }))
}
