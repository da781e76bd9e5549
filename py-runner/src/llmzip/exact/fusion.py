"""Patterns of exact ops that optimisers replace by one that is not. Owns those between DequantizeLinear and QuantizeLinear, and the
one behind MatMulInteger.

ONNX Runtime turns DequantizeLinear -> Mul or Add -> QuantizeLinear into QLinearMul or QLinearAdd, which round at other places,
and two pairs of QuantizeLinear and DequantizeLinear in a row into one, which rounds once. Other engines know more such ops: every
element-wise op in that place is refused. It turns MatMulInteger -> Cast -> Mul by a product of scales into MatMulIntegerToFloat, which
multiplies by one scale after the other. The division pattern is a rule of its own.
"""

from __future__ import annotations

from .graph import Graph, Node, sources
from .values import FLOAT


def fused_pattern(graph: Graph, node: Node) -> str | None:
    """What a node is at the end of, if it is a QuantizeLinear or a Mul at the end of such a pattern."""
    if node.op == "Mul" and not node.domain:
        return _scaled_product(graph, node)
    if node.op != "QuantizeLinear" or node.domain or not node.inputs or not node.inputs[0]:
        return None
    for name in sources(graph, node.inputs[0]):
        maker = graph.maker(name)
        if maker is None or maker.domain:
            continue
        if maker.op == "DequantizeLinear":
            return f"it quantises again what {maker.name} has dequantised: optimisers make one rounding of both"
        origins = {origin for each in maker.inputs if each for origin in sources(graph, each)}
        dynamic = [graph.maker(origin) for origin in origins if origin not in graph.constants]
        if dynamic and all(each is not None and each.op == "DequantizeLinear" for each in dynamic):
            return f"{maker.name} ({maker.op}) stands between dequantised inputs and it: optimisers make one quantised op of them"
    return None


def _scaled_product(graph: Graph, node: Node) -> str | None:
    """What a Mul is at the end of, if it scales a MatMulInteger by a product."""
    if len(node.inputs) != 2 or any(graph.maker(name) is None for name in node.inputs):
        return None
    for product, scale in (node.inputs, node.inputs[::-1]):
        cast, scales = _maker(graph, product), _maker(graph, scale)
        if cast is None or cast.op != "Cast" or cast.attributes.get("to") != FLOAT or scales is None:
            continue
        inner = _maker(graph, cast.input(0))
        if inner is not None and inner.op == "MatMulInteger" and scales.op == "Mul":
            what = f"it multiplies what {inner.name} gives by the product {scales.name}"
            return f"{what}: optimisers make one op of both, which rounds otherwise"
    return None


def _maker(graph: Graph, name: str) -> Node | None:
    """The node that a tensor comes from, but for what optimisers may leave out: moves that may be none, and products by 1."""
    maker = graph.maker(name)
    while maker is not None:
        if maker.op in _MAY_BE_LEFT_OUT:
            name = maker.input(0)
        elif maker.op == "Mul" and any(_is_one(graph, each) for each in maker.inputs):
            name = next((each for each in maker.inputs if not _is_one(graph, each)), "")
        else:
            break
        maker = graph.maker(name)
    return maker


def _is_one(graph: Graph, name: str) -> bool:
    constant = graph.constants.get(name)
    return (
        constant is not None
        and constant.array is not None
        and constant.array.size == 1
        and bool((constant.array == 1).all())
    )


_MAY_BE_LEFT_OUT = ("Expand", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
