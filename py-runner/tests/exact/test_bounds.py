"""What the checker claims of tensors holds in ONNX Runtime: bounds, units, shapes, what rows attain. Random graphs, random inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from llmzip.exact import check, describe
from llmzip.exact.shapes import Dim
from llmzip.exact.values import Value

ROWS, COLUMNS = 3, 6
SCALES = (0.25, 1.0, 2.0, 128.0)
Array = npt.NDArray[Any]


@dataclass
class Maker:
    """A graph in the making. Every tensor is [ROWS, COLUMNS] but those of `rows`, [ROWS, 1]."""

    data: st.DataObject
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def node(self, op: str, inputs: list[str], kind: int, shape: tuple[int, int], **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.kinds[name], self.shapes[name] = kind, shape
        return name

    def pick(self, kind: int, shape: tuple[int, int] | None = None) -> str:
        """A tensor of a kind; one is cast if there is none yet."""
        names = [name for name, each in self.kinds.items() if each == kind and shape in (None, self.shapes[name])]
        if names:
            return self.data.draw(st.sampled_from(names))
        return self.node("Cast", ["x"], kind, (ROWS, COLUMNS), to=kind)

    def number(self) -> float:
        return self.data.draw(st.sampled_from((-3.0, -0.5, 0.125, 1.0, 2.0, 7.0, 96.0, 0.1, 1e-3)))


def broadcast(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return max(a[0], b[0]), max(a[1], b[1])


def float_pair(maker: Maker) -> None:
    a, b = maker.pick(TensorProto.FLOAT), maker.pick(TensorProto.FLOAT)
    op = maker.data.draw(st.sampled_from(("Add", "Sub", "Mul", "Max", "Min")))
    maker.node(op, [a, b], TensorProto.FLOAT, broadcast(maker.shapes[a], maker.shapes[b]))


def float_constant(maker: Maker) -> None:
    a = maker.pick(TensorProto.FLOAT)
    op = maker.data.draw(st.sampled_from(("Add", "Sub", "Mul", "Max", "Min", "Clip")))
    maker.node(op, [a, maker.constant(maker.number(), np.float32)], TensorProto.FLOAT, maker.shapes[a])


def float_single(maker: Maker) -> None:
    a = maker.pick(TensorProto.FLOAT)
    op = maker.data.draw(st.sampled_from(("Abs", "Neg", "Floor", "Round", "Relu", "Identity")))
    maker.node(op, [a], TensorProto.FLOAT, maker.shapes[a])


def root(maker: Maker) -> None:
    a = maker.pick(TensorProto.FLOAT)
    maker.node("Sqrt", [maker.node("Abs", [a], TensorProto.FLOAT, maker.shapes[a])], TensorProto.FLOAT, maker.shapes[a])


def integers(maker: Maker) -> None:
    a, b = maker.pick(TensorProto.INT32), maker.pick(TensorProto.INT32)
    op = maker.data.draw(st.sampled_from(("Add", "Sub", "Mul", "Max", "Min")))
    maker.node(op, [a, b], TensorProto.INT32, broadcast(maker.shapes[a], maker.shapes[b]))


def cast(maker: Maker) -> None:
    source = maker.data.draw(st.sampled_from((TensorProto.UINT8, TensorProto.INT32, TensorProto.FLOAT)))
    kind = maker.data.draw(st.sampled_from((TensorProto.INT32, TensorProto.FLOAT)))
    a = maker.pick(source)
    maker.node("Cast", [a], kind, maker.shapes[a], to=kind)


def quantise(maker: Maker) -> None:
    a = maker.pick(TensorProto.FLOAT)
    scale = maker.constant(maker.data.draw(st.sampled_from(SCALES)), np.float32)
    zero = maker.constant(maker.data.draw(st.integers(0, 255)), np.uint8)
    maker.node("QuantizeLinear", [a, scale, zero], TensorProto.UINT8, maker.shapes[a])


def dequantise(maker: Maker) -> None:
    a = maker.pick(TensorProto.UINT8)
    scale = maker.constant(maker.data.draw(st.sampled_from(SCALES)), np.float32)
    zero = maker.constant(maker.data.draw(st.integers(0, 255)), np.uint8)
    maker.node("DequantizeLinear", [a, scale, zero], TensorProto.FLOAT, maker.shapes[a])


def reduce(maker: Maker) -> None:
    kind = maker.data.draw(st.sampled_from((TensorProto.INT32, TensorProto.FLOAT)))
    a = maker.pick(kind, (ROWS, COLUMNS))
    if maker.data.draw(st.booleans()):
        op = maker.data.draw(st.sampled_from(("ReduceMax", "ReduceMin")))
        maker.node(op, [a], kind, (ROWS, 1), axes=[-1], keepdims=1)
    else:
        maker.node("ReduceSum", [a, maker.constant([1], np.int64)], kind, (ROWS, 1), keepdims=1)


def below_maximum(maker: Maker) -> None:
    a = maker.pick(TensorProto.FLOAT, (ROWS, COLUMNS))
    axis = maker.data.draw(st.sampled_from((-1, 0)))
    shape = (ROWS, 1) if axis else (1, COLUMNS)
    largest = maker.node("ReduceMax", [a], TensorProto.FLOAT, shape, axes=[axis], keepdims=1)
    maker.node("Sub", [a, largest], TensorProto.FLOAT, (ROWS, COLUMNS))


def rows_moved(maker: Maker) -> None:
    """Rows that are known to have a 0, cut up and put together."""
    below_maximum(maker)
    a = maker.nodes[-1].output[0]
    spare = TensorProto.BOOL, (0, 0)  # of no use to the others
    half = COLUMNS // 2
    axis = maker.data.draw(st.sampled_from((0, 1)))
    sizes = [half, COLUMNS - half] if axis else [1, ROWS - 1]
    cuts = [f"t{len(maker.nodes)}", f"t{len(maker.nodes)}.rest"]
    maker.nodes.append(helper.make_node("Split", [a, maker.constant(sizes, np.int64)], cuts, name=cuts[0], axis=axis))
    maker.node("Reshape", [a, maker.constant([COLUMNS, ROWS], np.int64)], *spare)
    maker.node("Transpose", [a], *spare, perm=[1, 0])
    maker.node("Unsqueeze", [a, maker.constant([2], np.int64)], *spare)
    maker.node("Concat", [a, maker.constant(np.full((1, COLUMNS), -1), np.float32)], *spare, axis=0)
    maker.node("Concat", [a, maker.constant(np.full((ROWS, 1), -1), np.float32)], *spare, axis=1)
    maker.node("Gather", [a, maker.constant([1, 2], np.int64)], *spare, axis=1)
    maker.node("Tile", [a, maker.constant([2, 2], np.int64)], *spare)


def scaled_to_peak(maker: Maker) -> None:
    a = maker.pick(TensorProto.FLOAT, (ROWS, COLUMNS))
    largest = maker.node("Abs", [a], TensorProto.FLOAT, (ROWS, COLUMNS))
    largest = maker.node("ReduceMax", [largest], TensorProto.FLOAT, (ROWS, 1), axes=[-1], keepdims=1)
    tiny = maker.constant(maker.data.draw(st.sampled_from((2.0**-40, 1.0, 1000.0))), np.float32)
    largest = maker.node("Max", [largest, tiny], TensorProto.FLOAT, (ROWS, 1))
    peak = maker.constant(maker.data.draw(st.sampled_from((2.0, 128.0, -16384.0))), np.float32)
    levels = maker.node("Div", [peak, largest], TensorProto.FLOAT, (ROWS, 1))
    maker.node("Mul", [a, levels], TensorProto.FLOAT, (ROWS, COLUMNS))


def product(maker: Maker) -> None:
    a = maker.pick(TensorProto.UINT8, (ROWS, COLUMNS))
    weights = maker.data.draw(st.lists(st.integers(-64, 64), min_size=COLUMNS**2, max_size=COLUMNS**2))
    zero = maker.constant(maker.data.draw(st.sampled_from((0, 128, 200))), np.uint8)
    matrix = maker.constant(np.reshape(weights, (COLUMNS, COLUMNS)), np.int8)
    maker.node("MatMulInteger", [a, matrix, zero], TensorProto.INT32, (ROWS, COLUMNS))


def dynamic_product(maker: Maker) -> None:
    a, b = (maker.pick(TensorProto.UINT8, (ROWS, COLUMNS)) for _ in range(2))
    turned = maker.node("Transpose", [b], TensorProto.UINT8, (COLUMNS, ROWS), perm=[1, 0])
    zeros = [maker.constant(maker.data.draw(st.sampled_from((0, 128))), np.uint8), maker.constant(128, np.uint8)]
    maker.kinds.pop(turned)  # of no use to the others
    maker.node("MatMulInteger", [a, turned, *zeros], TensorProto.INT32, (ROWS, ROWS))
    maker.kinds.pop(f"t{len(maker.nodes) - 1}")


def choose(maker: Maker) -> None:
    a, b, c = (maker.pick(TensorProto.FLOAT) for _ in range(3))
    shape = broadcast(broadcast(maker.shapes[a], maker.shapes[b]), maker.shapes[c])
    both = broadcast(maker.shapes[a], maker.shapes[b])
    less = maker.node("LessOrEqual", [a, b], TensorProto.BOOL, both)
    maker.node("Where", [less, a, c], TensorProto.FLOAT, shape)


def move(maker: Maker) -> None:
    a = maker.pick(TensorProto.FLOAT, (ROWS, COLUMNS))
    first = maker.constant([1, COLUMNS, ROWS], np.int64)
    back = maker.constant([ROWS, -1], np.int64)
    if maker.data.draw(st.booleans()):
        first = maker.constant([-1, 1, COLUMNS], np.int64)
    turned = maker.node("Reshape", [a, first], TensorProto.BOOL, (0, 0))
    maker.node("Reshape", [turned, back], TensorProto.FLOAT, (ROWS, COLUMNS))


def cut(maker: Maker) -> None:
    a, b = (maker.pick(TensorProto.FLOAT, (ROWS, COLUMNS)) for _ in range(2))
    both = maker.node("Concat", [a, b], TensorProto.BOOL, (0, 0), axis=maker.data.draw(st.sampled_from((0, 1, -1))))
    axis = maker.nodes[-1].attribute[0].i % 2
    start = maker.data.draw(st.integers(0, (ROWS, COLUMNS)[axis]))
    ends = maker.constant([start + (ROWS, COLUMNS)[axis]], np.int64)
    numbers = [maker.constant([start], np.int64), ends, maker.constant([axis], np.int64)]
    maker.node("Slice", [both, *numbers], TensorProto.FLOAT, (ROWS, COLUMNS))


MAKERS = [
    *(
        float_pair,
        float_constant,
        float_single,
        root,
        integers,
        cast,
        quantise,
        dequantise,
        reduce,
        below_maximum,
        rows_moved,
    ),
    *(scaled_to_peak, product, dynamic_product, choose, move, cut),
]


def model_of(maker: Maker) -> bytes:
    inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, [ROWS, COLUMNS])]
    outputs = [helper.make_empty_tensor_value_info(name) for node in maker.nodes for name in node.output]
    graph = helper.make_graph(maker.nodes, "random", inputs, outputs, maker.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def results_of(content: bytes, x: Array) -> dict[str, Array]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, {"x": x}), strict=True))


def check_holds(name: str, value: Value, found: Array) -> None:
    """What is known of a tensor is true of one."""
    numbers = found.astype(np.float64)
    assert value.range.lo <= numbers.min(), name
    assert numbers.max() <= value.range.hi, name
    assert not value.range.nonzero or (numbers != 0).all(), name
    if value.unit is not None:
        units = np.ldexp(numbers, -value.unit)
        assert (units == np.rint(units)).all(), name
    if value.attains is not None:
        inside = (value.attains.lo <= numbers) & (numbers <= value.attains.hi)
        assert inside.any(axis=-1).all(), name
    if value.shape is not None:
        assert value.shape == tuple(Dim(size) for size in found.shape), name
    if value.constant is not None:
        np.testing.assert_array_equal(value.constant, found)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_random_graphs_stay_within_what_is_known(data: st.DataObject) -> None:
    maker = Maker(data)
    maker.kinds["x"], maker.shapes["x"] = TensorProto.UINT8, (ROWS, COLUMNS)
    for make in data.draw(st.lists(st.sampled_from(MAKERS), min_size=3, max_size=14)):
        make(maker)
    content = model_of(maker)
    known = describe(content)
    report = check(content)
    # What is taken to stay finite is no claim.
    assume(not report.unbounded)
    broken = {each.node for each in report.violations}
    assert {name for name, value in known.items() if value.tainted} >= broken
    elements = st.lists(st.integers(0, 255), min_size=ROWS * COLUMNS, max_size=ROWS * COLUMNS)
    drawn = np.array(data.draw(elements), np.uint8).reshape(ROWS, COLUMNS)
    for x in (drawn, np.zeros_like(drawn), np.full_like(drawn, 255), (drawn > 127) * np.uint8(255)):
        for name, found in results_of(content, x).items():
            if not known[name].tainted:
                check_holds(name, known[name], found)


def test_most_random_graphs_have_something_to_hold() -> None:
    """The property would be empty if every node broke a rule."""
    claims: list[bool] = []

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def count(data: st.DataObject) -> None:
        maker = Maker(data)
        maker.kinds["x"], maker.shapes["x"] = TensorProto.UINT8, (ROWS, COLUMNS)
        for make in data.draw(st.lists(st.sampled_from(MAKERS), min_size=3, max_size=14)):
            make(maker)
        known = describe(model_of(maker))
        claims.extend(not known[node.output[0]].tainted for node in maker.nodes)

    count()
    assert sum(claims) > len(claims) / 2
