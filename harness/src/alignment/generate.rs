//! Owns the texts that follow from a seed: splices of the kinds of characters that tokenizers treat apart. The same seed gives the same texts
//! everywhere.

use fastrand::Rng;

use super::corpus;

/// Pieces of a text.
const MOST_PIECES: usize = 12;
/// Characters of a piece.
const MOST_CHARACTERS: usize = 8;
/// Sets of characters; a piece is of one of them.
const ALPHABETS: [&str; 12] = [
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "etaoin",
    "0123456789",
    "0123456789.,_ \u{202f}'",
    " \t\n\r\u{b}\u{c}\u{85}\u{a0}\u{1680}\u{2000}\u{2003}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}\u{180e}\u{200b}",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~’“”«»—…¡¿",
    "áéíóúäöüßñçøåæœĳǅİıſﬁ",
    "\u{300}\u{301}\u{308}\u{30a}\u{323}\u{327}\u{345}\u{5b0}\u{64b}\u{93c}\u{94d}\u{e31}\u{20e3}\u{fe0e}\u{fe0f}",
    "😀👩👨👧🏽🏿❤🇬🇧🇫🏴\u{200d}\u{fe0f}\u{e0067}\u{e007f}",
    "\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2069}שלוםמרحباא",
    "\0\u{1}\u{7}\u{8}\u{1b}\u{1f}\u{7f}\u{80}\u{9f}\u{ad}\u{fff9}\u{fffd}\u{fffe}\u{ffff}\u{e000}\u{10ffff}",
    "你好世界日本語テキスト한국어ไทยनमस्ते٣٤३４½²Ⅷ",
];
/// Words that a tokenizer may take whole.
const WORDS: [&str; 20] = [
    "the",
    " the",
    "'s",
    "'t",
    "'re",
    "'ve",
    "'ll",
    "'d",
    "'M",
    "’s",
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|",
    "|>",
    "\r\n",
    "\n\n",
    "    ",
    "://",
    "1,000",
];

/// `count` texts.
pub(super) fn texts(seed: u64, count: usize) -> Vec<String> {
    let mut rng = Rng::with_seed(seed);
    let alphabets: Vec<Vec<char>> = ALPHABETS.iter().map(|alphabet| alphabet.chars().collect()).collect();
    let fixed = corpus::texts();
    (0..count).map(|_| text(&mut rng, &alphabets, &fixed)).collect()
}

fn text(rng: &mut Rng, alphabets: &[Vec<char>], fixed: &[String]) -> String {
    let mut text = String::new();
    for _ in 0..rng.usize(1..=MOST_PIECES) {
        match rng.u8(0..8) {
            0 => text.push_str(WORDS[rng.usize(0..WORDS.len())]),
            // Any characters at all, mostly of one page.
            1 => {
                let page = rng.char(..) as u32 & !0xff;
                text.extend(
                    (0..rng.usize(1..=MOST_CHARACTERS)).filter_map(|_| char::from_u32(page + rng.u32(0..0x100))),
                );
            }
            2 => text.extend((0..rng.usize(1..=MOST_CHARACTERS)).map(|_| rng.char(..))),
            // A few characters out of a text of the corpus.
            3 => {
                let source = &fixed[rng.usize(0..fixed.len())];
                let length = source.chars().count();
                let from = rng.usize(0..=length);
                text.extend(source.chars().skip(from).take(rng.usize(1..=MOST_CHARACTERS)));
            }
            _ => {
                let alphabet = &alphabets[rng.usize(0..alphabets.len())];
                text.extend((0..rng.usize(1..=MOST_CHARACTERS)).map(|_| alphabet[rng.usize(0..alphabet.len())]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_own_texts_each_time() {
        assert_eq!(texts(1, 50), texts(1, 50));
        assert_ne!(texts(1, 50), texts(2, 50));
        assert_eq!(texts(1, 50)[..20], texts(1, 20));
    }
}
