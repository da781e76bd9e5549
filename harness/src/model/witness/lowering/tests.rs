use proptest::prelude::*;

use super::*;
use crate::ErrorCode;
use crate::model::graph::declarations::{BOOL, FLOAT32, INT32, INT64};
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
fn nodes_of(file: &[u8]) -> Vec<(String, Vec<String>, Vec<String>)> {
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
    let lowered = lower(&file(&[concat(&["bytes", "zero"], "both")])).unwrap();
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        ("Cast", &["bytes"][..], "both:int32:0"),
        ("Cast", &["zero"], "both:int32:1"),
        ("Concat", &["both:int32:0", "both:int32:1"], "both:int32"),
        ("Cast", &["both:int32"], "both"),
    ]
    .map(|(op, inputs, output)| (op.to_owned(), names(inputs), names(&[output])));
    assert_eq!(nodes_of(&lowered), expected);
    assert_eq!(lower(&lowered).unwrap(), lowered, "nothing is left to lower");
}

#[test]
fn a_product_of_bytes_is_computed_in_two_parts() {
    let product = node("MatMulInteger", &["bytes", "bytes", "zero", "zero"], "product", &[]);
    let lowered = nodes_of(&lower(&file(&[product])).unwrap());
    let ops: Vec<_> = lowered.iter().map(|(op, _, _)| op.as_str()).collect();
    let expected = [
        "Constant",
        "Cast",
        "Min",
        "Sub",
        "Cast",
        "Cast",
        "MatMulInteger",
        "MatMulInteger",
        "Add",
    ];
    assert_eq!(ops, expected);
    assert_eq!(lowered[6].1, ["product:low", "bytes", "", "zero"]);
    assert_eq!(lowered[7].1, ["product:high", "bytes", "zero", "zero"]);
    assert_eq!(lowered[8].2, ["product"]);
}

/// The int32 product that rten gives of `left`, [rows, length], and `right`, [length, columns], around these zero points.
fn in_rten(left: &[u8], right: &[u8], length: usize, zeros: Option<(u8, u8)>) -> Vec<i32> {
    let mut inputs = vec!["left", "right"];
    let mut graph = Vec::new();
    if let Some((left, right)) = zeros {
        inputs.extend(["left_zero", "right_zero"]);
        for (name, zero) in [("left_zero", left), ("right_zero", right)] {
            put_bytes(
                &mut graph,
                5,
                &tensor(name, "uint8", &[], [i64::from(zero)].into_iter()),
            );
        }
    }
    put_bytes(&mut graph, 1, &node("MatMulInteger", &inputs, "product", &[]));
    put_bytes(&mut graph, 11, &value("left", "uint8", &["m", "k"]));
    put_bytes(&mut graph, 11, &value("right", "uint8", &["k", "n"]));
    put_bytes(&mut graph, 12, &value("product", "int32", &["m", "n"]));
    let file = [integer(1, 8), bytes(7, &graph), bytes(8, &integer(2, 17))].concat();
    let model = rten::ModelOptions::with_all_ops().load(lower(&file).unwrap()).unwrap();
    let id = |name| model.node_id(name).unwrap();
    let matrix = |values: &[u8], rows: usize| {
        rten::Value::from_shape([rows, values.len() / rows], values.to_vec())
            .unwrap()
            .into()
    };
    let inputs = vec![
        (id("left"), matrix(left, left.len() / length)),
        (id("right"), matrix(right, length)),
    ];
    let output = model.run(inputs, &[id("product")], None).unwrap().remove(0);
    output.into_shape_vec::<i32, 2>().unwrap().1
}

/// Holds rten to the product by integers.
fn check_product(left: &[u8], right: &[u8], length: usize, zeros: Option<(u8, u8)>) {
    let (left_zero, right_zero) = zeros.map_or((0, 0), |(left, right)| (i32::from(left), i32::from(right)));
    let columns = right.len() / length;
    let expected: Vec<i32> = left
        .chunks(length)
        .flat_map(|row| {
            (0..columns).map(move |column| {
                let factors = row.iter().zip(right.iter().skip(column).step_by(columns));
                factors
                    .map(|(&l, &r)| (i32::from(l) - left_zero) * (i32::from(r) - right_zero))
                    .sum()
            })
        })
        .collect();
    let found = in_rten(left, right, length, zeros);
    assert_eq!(found, expected, "{left:?} x {right:?}, rows of {length}, {zeros:?}");
}

#[test]
fn products_of_the_largest_bytes_are_right_in_rten() {
    for zeros in [None, Some((128, 128)), Some((0, 128))] {
        for (rows, length, columns) in [(1, 2, 1), (1, 64, 40), (7, 33, 17)] {
            for left in [0, 127, 128, 255] {
                for right in [0, 127, 128, 255] {
                    check_product(
                        &vec![left; rows * length],
                        &vec![right; length * columns],
                        length,
                        zeros,
                    );
                }
            }
        }
    }
}

#[test]
fn everything_else_stays_as_it_is() {
    let check = |nodes: &[Vec<u8>]| {
        let file = file(nodes);
        assert_eq!(lower(&file).unwrap(), file);
    };
    check(&[]);
    check(&[concat(&["floats", "floats"], "both")]);
    check(&[node("Transpose", &["bytes"], "turned", &[])]);
    let mut other = file(&[concat(&["floats", "floats"], "both")]);
    other.extend([0x7D, 1, 2, 3, 4]);
    assert_eq!(lower(&other).unwrap(), other, "a field of fixed width");
}

#[test]
fn new_names_are_nobody_else_s() {
    let taken = node("Identity", &["floats"], "both:int32", &[]);
    let lowered = nodes_of(&lower(&file(&[taken, concat(&["bytes"], "both")])).unwrap());
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
            let lowered = lower(&file(&nodes)).unwrap();
            let is_lowered = nodes_of(&lowered)
                .iter()
                .any(|(_, _, outputs)| outputs == &["both:int32"]);
            assert_eq!(is_lowered, [INT8, UINT8].contains(&element));
        }
        None => assert_eq!(lower(&file(&nodes)).unwrap_err().code, ErrorCode::Model),
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
        match lower(&file[..end]) {
            Ok(lowered) => assert!(Fields::new(&lowered).all(|field| field.is_ok())),
            Err(error) => assert_eq!(error.code, ErrorCode::Model),
        }
    }
    assert_eq!(lower(b"<html>").unwrap_err().code, ErrorCode::Model);
}

proptest! {
    #[test]
    fn products_of_any_bytes_are_right_in_rten(
        (length, left, right) in (1..40usize, 1..9usize, 1..20usize).prop_flat_map(|(length, rows, columns)| {
            let bytes = |count| prop::collection::vec(any::<u8>(), count);
            (Just(length), bytes(rows * length), bytes(length * columns))
        }),
        zeros in prop::option::of((prop::sample::select(vec![0u8, 128]), Just(128u8))),
    ) {
        check_product(&left, &right, length, zeros);
    }

    #[test]
    fn no_bytes_make_it_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = lower(&noise);
        let _ = lower(&bytes(7, &noise));
        let _ = lower(&bytes(7, &bytes(1, &noise)));
    }
}
