use super::*;
use crate::model::testing::repository;

fn tiny() -> Tokenizer {
    Tokenizer::parse(&std::fs::read(repository().join("models/tiny/tokenizer.json")).unwrap()).unwrap()
}

#[test]
fn text_comes_back_and_digits_stand_alone() {
    let tokenizer = tiny();
    let check = |text: &str| {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{text:?}");
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.size()), "{text:?}");
        ids.len()
    };
    assert_eq!(check(""), 0);
    assert_eq!(check("1234567890"), 10);
    check("  two  spaces, a\ttab, \r\n and a NUL \0.");
    check("Grüße, 你好, שלום, 👩‍👩‍👧‍👦, e\u{301}");
    check("was n't it ? isn 't .");
    check(&"a".repeat(5000));
}

#[test]
fn special_tokens_are_recognised_and_kept_but_never_added() {
    let tokenizer = tiny();
    let ids = tokenizer.encode("a<|endoftext|>b").unwrap();
    assert!(ids.contains(&0), "{ids:?}");
    assert_eq!(tokenizer.decode(&ids).unwrap(), "a<|endoftext|>b");
    assert!(!tokenizer.encode("a").unwrap().iter().any(|&id| id < 3));
}

#[test]
fn an_id_without_a_token_stands_for_nothing() {
    let tokenizer = tiny();
    assert_eq!(tokenizer.decode(&[u32::MAX]).unwrap(), "");
    let beyond = tokenizer.size() as u32;
    assert_eq!(tokenizer.decode(&[beyond]).unwrap(), "");
}

#[test]
fn truncation_and_padding_of_the_file_lose_nothing() {
    let text = std::fs::read_to_string(repository().join("models/tiny/tokenizer.json")).unwrap();
    let mut json = serde_json::from_str::<serde_json::Value>(&text).unwrap();
    json["truncation"] = serde_json::json!({
        "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0
    });
    json["padding"] = serde_json::json!({
        "strategy": { "Fixed": 64 }, "direction": "Left", "pad_to_multiple_of": null, "pad_id": 2, "pad_type_id": 0,
        "pad_token": "<|im_end|>"
    });
    let tokenizer = Tokenizer::parse(json.to_string().as_bytes()).unwrap();
    assert_eq!(
        tokenizer.encode("1234567890").unwrap(),
        tiny().encode("1234567890").unwrap()
    );
}

#[test]
fn what_is_no_tokenizer_is_refused() {
    for bytes in [&b""[..], b"{}", b"[1]", b"\xFF", b"<html>"] {
        assert_eq!(Tokenizer::parse(bytes).unwrap_err().code, ErrorCode::Model, "{bytes:?}");
    }
}
