use super::*;

fn tensor(name: &str, element: &str, shape: &[&str]) -> TensorInfo {
    let dimension = |size: &&str| match size.parse() {
        Ok(size) => Dimension::Fixed(size),
        Err(_) => Dimension::Symbolic((*size).to_owned()),
    };
    TensorInfo {
        name: name.to_owned(),
        element: element.to_owned(),
        shape: shape.iter().map(dimension).collect(),
    }
}

fn config() -> ModelConfig {
    let config = br#"{"vocab_size": 9, "head_dim": 4, "num_attention_heads": 6, "num_key_value_heads": 3}"#;
    ModelConfig::parse(config).unwrap()
}

#[test]
fn a_batch_is_allowed_where_nothing_that_is_used_fixes_it() {
    let check = |batches: [&str; 4], batch: Batch, reason: &str| {
        let [ids, past, logits, present] = batches;
        let inputs = [
            tensor("input_ids", "int64", &[ids]),
            tensor("past_key_values.0.key", "float32", &[past]),
        ];
        let outputs = [
            tensor("logits", "float32", &[logits]),
            tensor("present.0.key", "float32", &[present]),
            tensor("debug", "float32", &["1"]),
        ];
        let policy = batch_policy(&inputs, &outputs);
        assert_eq!(policy.batch, batch, "{batches:?}");
        assert!(policy.reason.contains(reason), "{policy:?}");
    };
    check(["b", "b", "b", ""], Batch::Dynamic, "all 4");
    check(["1", "b", "b", "b"], Batch::Static, "input_ids is fixed at 1");
    check(
        ["b", "2", "b", "b"],
        Batch::Static,
        "past_key_values.0.key is fixed at 2",
    );
    check(["b", "b", "1", "b"], Batch::Static, "logits is fixed at 1");
    check(["b", "b", "b", "1"], Batch::Static, "present.0.key is fixed at 1");
    let scalar = [tensor("input_ids", "int64", &[])];
    assert_eq!(
        batch_policy(&scalar, &[]).reason,
        "the batch dimension of input_ids is missing"
    );
}

#[derive(serde::Deserialize)]
struct Table {
    tensors: Vec<String>,
    groups: Vec<Group>,
}

#[derive(serde::Deserialize)]
struct Group {
    expected: Expected,
    cases: Vec<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
enum Expected {
    Refused { refused: String },
    Driven { policy: BatchPolicy, length: Option<usize> },
}

/// A tensor as a word of the table says: a letter for its batch, one for its sequence.
fn declared(name: &str, word: &str) -> Option<TensorInfo> {
    let dimension = |letter: &str, symbol: &str| match letter {
        "n" => symbol.to_owned(),
        "a" => String::new(),
        size => size.to_owned(),
    };
    let (batch, sequence) = word.split_at(1);
    if sequence == "-" {
        return None;
    }
    let batch = dimension(batch, "batch_size");
    Some(match name {
        "attention_mask" => tensor(name, "int64", &[&batch, &dimension(sequence, "total_sequence_length")]),
        "logits" => tensor(name, "float32", &[&batch, &dimension(sequence, "sequence_length"), "9"]),
        "input_ids" | "position_ids" => tensor(name, "int64", &[&batch, &dimension(sequence, "sequence_length")]),
        _ => tensor(
            name,
            "float32",
            &[&batch, "2", &dimension(sequence, "past_sequence_length"), "4"],
        ),
    })
}

#[test]
fn all_declarations_mean_what_they_mean_in_every_language() {
    let table: Table = serde_json::from_str(include_str!("../../../tests/cases/declarations.json")).unwrap();
    let mut count = 0;
    for group in &table.groups {
        for case in &group.cases {
            let tensors: Vec<TensorInfo> = table
                .tensors
                .iter()
                .zip(case.split(' '))
                .filter_map(|(name, word)| declared(name, word))
                .collect();
            let is_output = |tensor: &TensorInfo| tensor.name == LOGITS || tensor.name.starts_with(PRESENT);
            let (outputs, inputs): (Vec<_>, Vec<_>) = tensors.into_iter().partition(is_output);
            match (Signature::read(&inputs, &outputs, &config()), &group.expected) {
                (Ok(signature), Expected::Driven { policy, length }) => {
                    assert_eq!(signature.batch_policy, *policy, "{case}");
                    assert_eq!(signature.one_by_one, *length == Some(1), "{case}");
                }
                (Err(error), Expected::Refused { refused }) => assert_eq!(error.code.name(), refused, "{case}"),
                (found, expected) => panic!("{case}: {found:?}, not {expected:?}"),
            }
            count += 1;
        }
    }
    assert!(count > 4000, "{count}");
}

#[test]
fn the_past_is_found_among_the_open_dimensions() {
    let check = |shape: &[&str], expected: Option<(&[usize], usize)>| {
        let slot = cache_slot(&tensor("past_key_values.0.key", "float16", shape), &config()).ok();
        let found = slot.as_ref().map(|slot| (slot.shape.as_slice(), slot.past_axis));
        assert_eq!(found, expected, "{shape:?}");
    };
    check(&["b", "2", "past", "8"], Some((&[0, 2, 0, 8], 2)));
    check(
        &["b", "2", "past_sequence_length", "kv_cache_dim"],
        Some((&[0, 2, 0, 4], 2)),
    );
    check(&["b", "heads", "past", "head_dim"], Some((&[0, 3, 0, 4], 2)));
    check(&["b", "2", "head_dim", "past_sequence"], Some((&[0, 2, 4, 0], 3)));
    check(&["b", "2", "", ""], Some((&[0, 2, 0, 4], 2)));
    check(&["b", "2", "8", "p"], Some((&[0, 2, 8, 0], 3)));
    check(&["1", "past", "2"], Some((&[0, 0, 2], 1)));
    check(&["b", "2", "16", "8"], None);
}
