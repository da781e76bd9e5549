"""Patterns of exact ops that optimisers replace by one that is not. Owns those between DequantizeLinear and QuantizeLinear.

ONNX Runtime turns DequantizeLinear -> Mul or Add -> QuantizeLinear into QLinearMul or QLinearAdd, which round at other places,
and two pairs of QuantizeLinear and DequantizeLinear in a row into one, which rounds once. Other engines know more such ops: every
element-wise op in that place is refused. The division pattern is a rule of its own.
"""

from __future__ import annotations

from .graph import Graph, Node, sources


def fused_pattern(graph: Graph, node: Node) -> str | None:
    """What a node is at the end of, if it is a QuantizeLinear at the end of such a pattern."""
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
