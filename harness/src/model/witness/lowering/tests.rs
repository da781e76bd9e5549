use proptest::prelude::*;

use super::*;
use crate::ErrorCode;
use crate::model::graph::declarations::{BOOL, FLOAT32, INT64};
use crate::model::testing::graphs::{int, node, tensor, value};

/// A file whose graph has these nodes, the inputs `bytes` of uint8 and `floats` of float32, and the initializer `zero` of uint8.
fn file(nodes: &[Vec<u8>]) -> Vec<u8> {
    let mut graph: Vec<u8> = nodes.iter().flat_map(|node| bytes(1, node)).collect();
    put_bytes(&mut graph, 5, &tensor("zero", "uint8", &[], [0].into_iter()));
    put_bytes(&mut graph, 11, &value("bytes", "uint8", &["n"]));
    put_bytes(&mut graph, 11, &value("floats", "float32", &["n"]));
    [integer(1, 8), bytes(7, &graph), bytes(8, &integer(2, 17))].concat()
}

/// The nodes of a file: op, inputs and outputs.
fn nodes(file: &[u8]) -> Vec<(String, Vec<String>, Vec<String>)> {
    let mut found = Vec::new();
    for field in Fields::new(file) {
        let (7, Value::Bytes(graph)) = field.unwrap() else {
            continue;
        };
        for field in Fields::new(graph) {
            if let (1, Value::Bytes(node)) = field.unwrap() {
                let node = Node::parse(node).unwrap();
                let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
                found.push((node.op.to_owned(), owned(&node.inputs), owned(&node.outputs)));
            }
        }
    }
    found
}

fn concat(inputs: &[&str], output: &str) -> Vec<u8> {
    node("Concat", inputs, output, &[int("axis", 0)])
}

#[test]
fn a_concat_of_bytes_goes_by_way_of_int32() {
    let lowered = lower_concats(&file(&[concat(&["bytes", "zero"], "both")])).unwrap();
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        ("Cast", &["bytes"][..], "both:int32:0"),
        ("Cast", &["zero"], "both:int32:1"),
        ("Concat", &["both:int32:0", "both:int32:1"], "both:int32"),
        ("Cast", &["both:int32"], "both"),
    ]
    .map(|(op, inputs, output)| (op.to_owned(), names(inputs), names(&[output])));
    assert_eq!(nodes(&lowered), expected);
    assert_eq!(lower_concats(&lowered).unwrap(), lowered, "nothing is left to lower");
}

#[test]
fn everything_else_stays_as_it_is() {
    let check = |nodes: &[Vec<u8>]| {
        let file = file(nodes);
        assert_eq!(lower_concats(&file).unwrap(), file);
    };
    check(&[]);
    check(&[concat(&["floats", "floats"], "both")]);
    check(&[node("Transpose", &["bytes"], "turned", &[])]);
    let mut other = file(&[concat(&["floats", "floats"], "both")]);
    other.extend([0x7D, 1, 2, 3, 4]);
    assert_eq!(lower_concats(&other).unwrap(), other, "a field of fixed width");
}

#[test]
fn new_names_are_nobody_else_s() {
    let taken = node("Identity", &["floats"], "both:int32", &[]);
    let lowered = nodes(&lower_concats(&file(&[taken, concat(&["bytes"], "both")])).unwrap());
    assert_eq!(lowered[2].2, ["both:int32'"]);
    let mut outputs: Vec<_> = lowered.iter().flat_map(|(_, _, outputs)| outputs).collect();
    outputs.sort();
    outputs.dedup();
    assert_eq!(outputs.len(), lowered.len());
}

/// Holds the type of a value `v` to the one that decides whether a `Concat` of it is lowered.
fn check_type(element: Option<ElementCode>, made: &[Vec<u8>]) {
    let nodes = [made, &[concat(&["v", "v"], "both")]].concat();
    match element {
        Some(element) => {
            let lowered = lower_concats(&file(&nodes)).unwrap() != file(&nodes);
            assert_eq!(lowered, [INT8, UINT8].contains(&element));
        }
        None => assert_eq!(lower_concats(&file(&nodes)).unwrap_err().code, ErrorCode::Model),
    }
}

#[test]
fn types_follow_from_every_kind_of_node() {
    let of = |op: &str, inputs: &[&str], attributes: &[Vec<u8>]| vec![node(op, inputs, "v", attributes)];
    let constant = |element: &str| {
        let tensor = tensor("", element, &[1], [1].into_iter());
        [bytes(1, b"value"), bytes(5, &tensor), integer(20, 4)].concat()
    };
    for op in [
        "Transpose",
        "Reshape",
        "Split",
        "Gather",
        "Slice",
        "Identity",
        "Max",
        "Clip",
        "Concat",
    ] {
        check_type(Some(UINT8), &of(op, &["bytes", "floats"], &[]));
        check_type(Some(FLOAT32), &of(op, &["floats", "bytes"], &[]));
    }
    check_type(Some(UINT8), &of("Where", &["floats", "bytes", "zero"], &[]));
    check_type(Some(FLOAT32), &of("Where", &["bytes", "floats", "floats"], &[]));
    check_type(Some(UINT8), &of("QuantizeLinear", &["floats", "floats", "zero"], &[]));
    check_type(Some(UINT8), &of("QuantizeLinear", &["floats", "floats"], &[]));
    check_type(Some(UINT8), &of("QuantizeLinear", &["floats", "floats", ""], &[]));
    let signed = int("output_dtype", INT8);
    check_type(Some(INT8), &of("QuantizeLinear", &["floats", "floats"], &[signed]));
    check_type(
        Some(FLOAT32),
        &of("DequantizeLinear", &["bytes", "floats", "zero"], &[]),
    );
    check_type(
        Some(INT32),
        &of("MatMulInteger", &["bytes", "bytes", "zero", "zero"], &[]),
    );
    check_type(Some(BOOL), &of("LessOrEqual", &["bytes", "bytes"], &[]));
    check_type(Some(INT64), &of("Shape", &["bytes"], &[]));
    check_type(Some(UINT8), &of("Constant", &[], &[constant("uint8")]));
    check_type(Some(INT32), &of("Constant", &[], &[constant("int32")]));
    check_type(Some(INT64), &of("Constant", &[], &[int("value_int", 3)]));
    check_type(Some(UINT8), &of("ConstantOfShape", &["floats"], &[constant("uint8")]));
    check_type(Some(FLOAT32), &of("ConstantOfShape", &["bytes"], &[]));
    // `saturate` is an integer too.
    let (saturate, to) = (int("saturate", 1), |element| int("to", element));
    check_type(Some(UINT8), &of("Cast", &["floats"], &[saturate.clone(), to(UINT8)]));
    check_type(Some(FLOAT32), &of("Cast", &["bytes"], &[to(FLOAT32), saturate]));
    check_type(None, &of("Cast", &["bytes"], &[]));
    check_type(None, &of("Identity", &["nowhere"], &[]));
    check_type(None, &of("Identity", &["v"], &[]));
}

#[test]
fn what_is_no_graph_is_refused() {
    let file = file(&[concat(&["bytes", "zero"], "both")]);
    for end in (1..file.len()).filter(|end| *end != 2) {
        // Where a field ends the rest may be missing; what comes is then a file, of less.
        match lower_concats(&file[..end]) {
            Ok(lowered) => assert!(Fields::new(&lowered).all(|field| field.is_ok())),
            Err(error) => assert_eq!(error.code, ErrorCode::Model),
        }
    }
    assert_eq!(lower_concats(b"<html>").unwrap_err().code, ErrorCode::Model);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = lower_concats(&noise);
        let _ = lower_concats(&bytes(7, &noise));
        let _ = lower_concats(&bytes(7, &bytes(1, &noise)));
    }
}
