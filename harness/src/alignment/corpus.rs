//! Owns the texts that are asked every time: all of Unicode, every byte that is a character, long runs, and texts of kinds that tokenizers
//! are known to read in different ways.

/// Code points of a text with a page of Unicode.
const PAGE: u32 = 256;
/// The planes that have characters: the first four, of the fifteenth what is assigned, and an end of each private one.
const PLANES: [std::ops::Range<u32>; 4] = [
    0..0x4_0000,
    0xE_0000..0xE_0200,
    0xF_0000..0xF_0100,
    0x10_FF00..0x11_0000,
];
const RUN_LENGTHS: [usize; 8] = [2, 3, 7, 16, 64, 255, 1_000, 4_097];
const RUNS: [&str; 14] = [
    "a",
    " ",
    "\n",
    "\r\n",
    "\t",
    "0",
    "9",
    "!",
    "é",
    "e\u{301}",
    "\u{300}",
    "😀",
    "👩\u{200d}",
    "\u{a0}",
];

/// The texts.
#[must_use]
pub fn texts() -> Vec<String> {
    let mut texts: Vec<String> = vec![String::new()];
    texts.extend((0..0x100).filter_map(char::from_u32).map(String::from));
    for plane in PLANES {
        for first in plane.step_by(PAGE as usize) {
            let page: String = (first..first + PAGE).filter_map(char::from_u32).collect();
            if !page.is_empty() {
                texts.push(page);
            }
        }
    }
    texts.extend(RUNS.iter().flat_map(|run| RUN_LENGTHS.map(|length| run.repeat(length))));
    texts.extend(SAMPLES.iter().map(ToString::to_string));
    texts
}

/// Texts of the kinds that make tokenizers differ.
const SAMPLES: &[&str] = &[
    // Special tokens inside text, whole, broken, doubled, next to letters and spaces.
    "<|endoftext|>",
    "a<|endoftext|>b",
    " <|im_start|> user",
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|<|im_start|>",
    "<|im_end|><|im_end|>",
    "<|IM_START|>",
    "<|im_start |>",
    "\u{200b}<|im_end|>\u{200b}",
    "<s></s><unk><pad>[CLS][SEP]<|pad|>",
    // White space of every kind, alone, between words and at the ends.
    " leading",
    "trailing ",
    "  two  spaces  ",
    "\ttab\tand\t",
    "a\u{a0}b",
    "a\u{3000}b",
    "a\u{2028}b\u{2029}c",
    "a\u{85}b",
    "\u{feff}a",
    "a\u{180e}b",
    "a\u{200b}b",
    "a\u{1680}b",
    "\r",
    "\n",
    "\r\n\r\n",
    "a\r\nb\n\rc",
    "\u{b}\u{c}",
    "a \n b",
    "\n \n",
    "   \n   x",
    // Contractions, apostrophes, quotation marks.
    "I'm you're he'll we've they'd it's don't",
    "I'M YOU'RE HE'LL",
    "I’m you’re",
    "'s't're've'm'll'd",
    "''''",
    "rock'n'roll",
    "O'Neill's",
    // Numbers, in many scripts and with separators.
    "1,234,567.89",
    "1.234.567,89",
    "1 234 567",
    "1\u{202f}234",
    "1_000",
    "0x1F 0b10",
    "1e-5",
    "½ ¾ ²³ ₁₂",
    "Ⅷ ⅷ ㉈",
    "٣٤٥ ۳۴۵ ३४५",
    "１２３",
    "3.14159265358979323846",
    "2026-11-26T12:00:00Z",
    "10:30",
    "+44 20 7946 0000",
    "50%",
    "$1,000",
    "№5",
    "１,２３４",
    "𝟏𝟐𝟑",
    // Combining marks, composed and decomposed, in and out of order.
    "é e\u{301}",
    "Å A\u{30a} \u{212b}",
    "ṩ s\u{323}\u{307} s\u{307}\u{323}",
    "\u{301}",
    " \u{301}",
    "a\u{300}\u{301}\u{302}\u{303}",
    "ﬁ ﬀ ﬃ",
    "가 \u{1100}\u{1161}",
    "नमस्ते",
    "ကြောင်း",
    "ภาษาไทย",
    "Z\u{351}\u{36b}\u{343}algo",
    // Emoji: joined, coloured, flags, keycaps, tags, and pieces of these.
    "👩\u{200d}👩\u{200d}👧\u{200d}👦",
    "👍🏽",
    "🇬🇧🇫🇷",
    "🇬",
    "1\u{fe0f}\u{20e3}",
    "❤\u{fe0f}",
    "❤\u{fe0e}",
    "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{200d}",
    "\u{fe0f}",
    "🏽",
    "😀😀",
    "a😀b",
    " 😀 ",
    // Two directions, and marks that steer them.
    "שלום עולם",
    "مرحبا بالعالم",
    "abc אבג 123",
    "\u{202e}abc\u{202c}",
    "\u{2067}x\u{2069}",
    "\u{200f}a\u{200e}",
    "לְמַד",
    // Scripts without spaces, and letters that change with case.
    "你好，世界。",
    "日本語のテキスト",
    "한국어 텍스트",
    "İstanbul ıI",
    "STRASSE Straße ẞ",
    "Σίσυφος ΣΑΣ",
    "ǅ ǆ",
    "𝓗𝓮𝓵𝓵𝓸",
    "ᏣᎳᎩ",
    // Controls and characters that are none.
    "\0",
    "a\0b",
    "\u{1}\u{2}\u{1f}\u{7f}",
    "\u{80}\u{9f}",
    "\u{ad}soft\u{ad}hyphen",
    "\u{fffd}",
    "\u{fffe}\u{ffff}",
    "\u{10ffff}",
    "\u{e000}\u{f8ff}",
    "\u{1b}[31mred\u{1b}[0m",
    // Punctuation, code, addresses, words that run on.
    "https://example.org/a?b=c&d=%20#e",
    "a@b.example",
    "x+=1; y<<=2; z!==3",
    "if (a) {\n\treturn b;\n}",
    "\\n \\u0041 \\x00",
    "...!!!???",
    "—–-_",
    "snake_case camelCase",
    "Hello, world! How are you?",
    "HELLOworld",
    "a,b;c:d",
    "«quoted» “quoted” ‘quoted’",
    "{\"key\": [1, 2.5, null]}",
    "<p class=\"x\">&amp;</p>",
    "C:\\folder\\file",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_character_of_the_first_planes_is_there() {
        let there: HashSet<char> = texts()
            .iter()
            .flat_map(|text| text.chars().collect::<Vec<_>>())
            .collect();
        let missing = ('\0'..'\u{40000}')
            .filter(|character| !there.contains(character))
            .count();
        assert_eq!(missing, 0);
        assert!(there.contains(&'\u{e007f}') && there.contains(&'\u{10ffff}'));
    }
}
