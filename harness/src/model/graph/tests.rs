use super::wire::{bytes, integer};
use super::*;

fn node(op: &str, domain: &str, attribute: &[u8]) -> Vec<u8> {
    bytes(
        1,
        &[bytes(4, op.as_bytes()), bytes(7, domain.as_bytes()), attribute.to_vec()].concat(),
    )
}

fn opset(domain: &str, version: u64) -> Vec<u8> {
    bytes(8, &[bytes(1, domain.as_bytes()), integer(2, version)].concat())
}

#[test]
fn operations_are_counted_by_domain_and_in_subgraphs() {
    let subgraph = bytes(
        5,
        &bytes(6, &[node("Add", "ai.onnx", &[]), node("Add", "", &[])].concat()),
    );
    let graph = [
        node("If", "", &subgraph),
        node("MatMulNBits", "com.microsoft", &[]),
        node("Add", "", &[]),
    ]
    .concat();
    let file = [opset("", 21), opset("com.microsoft", 1), bytes(7, &graph)].concat();
    let facts = GraphFacts::parse(&file).unwrap();
    let expected = [("Add", 3), ("If", 1), ("com.microsoft::MatMulNBits", 1)].map(|(op, n)| (op.to_owned(), n));
    assert_eq!(facts.ops, BTreeMap::from(expected));
    let expected = [("", 21), ("com.microsoft", 1)].map(|(domain, version)| (domain.to_owned(), version));
    assert_eq!(facts.opset, BTreeMap::from(expected));
    assert!(facts.data_files.is_empty() && !facts.hidden_data);
}

/// An initializer with these entries of `external_data`.
fn placed(entries: &[(&str, &str)]) -> Vec<u8> {
    let entry =
        |(key, value): &(&str, &str)| bytes(13, &[bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat());
    let entries: Vec<u8> = entries.iter().flat_map(entry).collect();
    bytes(5, &[entries, integer(14, 1)].concat())
}

#[test]
fn files_of_weights_are_found_with_the_part_that_is_used() {
    let check = |initializers: &[Vec<u8>], expected: &[(&str, u64)]| {
        let facts = GraphFacts::parse(&bytes(7, &initializers.concat())).unwrap();
        let expected = expected.iter().map(|&(name, end)| (name.to_owned(), end));
        assert_eq!(facts.data_files, expected.collect());
        assert!(!facts.hidden_data);
    };
    let place = |name, offset, length| placed(&[("location", name), ("offset", offset), ("length", length)]);
    check(&[bytes(5, &[0x70, 0]), bytes(5, &bytes(9, &[0; 300]))], &[]);
    check(&[placed(&[("location", "w"), ("length", "12")])], &[("w", 12)]);
    check(
        &[placed(&[("checksum", "00"), ("location", "w"), ("length", "0")])],
        &[("w", 0)],
    );
    check(
        &[place("b", "64", "8"), place("a", "0", "5"), place("b", "0", "64")],
        &[("a", 5), ("b", 72)],
    );
}

#[test]
fn places_of_weights_that_are_none_are_refused() {
    let check = |entries: &[(&str, &str)]| {
        let error = GraphFacts::parse(&bytes(7, &placed(entries))).unwrap_err();
        assert_eq!(error.code, ErrorCode::Model, "{entries:?}");
        assert!(error.to_string().contains(" weight "), "{error}");
    };
    check(&[]);
    check(&[("length", "1")]);
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "/a",
        "..\\a",
        "C:a",
        "a\nb",
        "\u{e4}",
        "*/_ORT_MEM_ADDR_/*",
        &"a".repeat(256),
    ] {
        check(&[("location", name), ("length", "1")]);
    }
    for number in ["", "-1", "+1", " 1", "1e3", "0x1", "1234567890123456"] {
        check(&[("location", "a"), ("length", number)]);
        if !number.is_empty() {
            check(&[("location", "a"), ("length", "1"), ("offset", number)]);
        }
    }
    check(&[("location", "a")]);
    check(&[("location", "a"), ("location", "a"), ("length", "1")]);
    check(&[("location", "a"), ("length", "1"), ("length", "1")]);
    check(&[("location", "a"), ("length", "1"), ("prepacked_0", "0;1")]);
}

#[test]
fn weights_in_too_many_files_are_refused() {
    let files = |count: usize| {
        let initializer = |index| placed(&[("location", &format!("w{index}")), ("length", "1")]);
        bytes(7, &(0..count).flat_map(initializer).collect::<Vec<u8>>())
    };
    assert_eq!(
        GraphFacts::parse(&files(MAX_DATA_FILES)).unwrap().data_files.len(),
        MAX_DATA_FILES
    );
    let error = GraphFacts::parse(&files(MAX_DATA_FILES + 1)).unwrap_err();
    assert_eq!(error.code, ErrorCode::Model);
}

#[test]
fn weights_in_other_files_are_noticed_wherever_they_hide() {
    let external = [0x70, 1];
    let attribute = |number: u64| bytes(5, &bytes(number, &external));
    for number in [5, 10] {
        let graph = bytes(7, &node("Constant", "", &attribute(number)));
        assert!(GraphFacts::parse(&graph).unwrap().hidden_data, "{number}");
    }
    let sparse = bytes(7, &bytes(15, &bytes(1, &external)));
    assert!(GraphFacts::parse(&sparse).unwrap().hidden_data);
    let constant = node("Constant", "", &attribute(5));
    let function = bytes(25, &bytes(7, &constant[2..]));
    assert!(
        GraphFacts::parse(&[bytes(7, &[]), function].concat())
            .unwrap()
            .hidden_data
    );
}

#[test]
fn hostile_files_are_refused() {
    let check = |file: &[u8]| assert_eq!(GraphFacts::parse(file).unwrap_err().code, ErrorCode::Model);
    check(b"");
    check(b"<html>not found</html>");
    check(&opset("", 21));
    check(&bytes(7, &bytes(1, &[0x22, 200])));
    check(&bytes(7, &node(&"x".repeat(1000), "", &[])));
    check(&bytes(7, &bytes(1, &bytes(4, &[0xFF]))));
    check(&bytes(
        7,
        &(0..5000)
            .flat_map(|i| node(&format!("Op{i}"), "", &[]))
            .collect::<Vec<u8>>(),
    ));
    check(&bytes(7, &bytes(11, &bytes(2, &bytes(4, &[])))));
    let nested = (0..100).fold(node("Add", "", &[]), |graph, _| {
        node("If", "", &bytes(5, &bytes(6, &graph)))
    });
    check(&bytes(7, &nested));
}

#[test]
fn many_nodes_of_one_kind_cost_nothing() {
    let file = bytes(7, &bytes(1, &bytes(4, b"Add")).repeat(100_000));
    assert_eq!(GraphFacts::parse(&file).unwrap().ops["Add"], 100_000);
}

#[test]
fn only_our_own_properties_are_kept_and_no_more_of_them_than_is_looked_at() {
    let property = |key: &[u8], value: &[u8]| bytes(14, &[bytes(1, key), bytes(2, value)].concat());
    let file = [
        property(b"llmzip.exact", b"1"),
        property(b"llmzip.source", &[b'x'; 1000]),
        property(b"llmzip.odd", b"\xff"),
        property(b"author", &[b'y'; 1000]),
        property(&[0xFF], b""),
        property(b"llmzip.exact", b"2"),
        bytes(7, &node("Add", "", &[])),
    ];
    let found = GraphFacts::parse(&file.concat()).unwrap().metadata;
    let expected = [
        ("llmzip.exact", "2".to_owned()),
        ("llmzip.odd", "\u{fffd}".to_owned()),
        ("llmzip.source", "x".repeat(MAX_NAME)),
    ];
    assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value)).into());
}
