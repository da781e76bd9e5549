"""Nodes of an exact graph by what they do, whatever the exporter calls them."""

from __future__ import annotations

from typing import Any

from .graphs import Edited


def the_root(graph: Edited) -> Any:
    return graph.find("Sqrt")


def the_float_sum(graph: Edited) -> Any:
    """The sum of squares of a norm."""
    return graph.find("ReduceSum", lambda node: graph.made_by(node, "Mul"))


def the_whole_sum(graph: Edited) -> Any:
    """The int32 sum of the attention's weights."""
    return graph.find("ReduceSum", lambda node: graph.made_by(node, "Cast"))


def the_high_byte(graph: Edited) -> Any:
    """The QuantizeLinear of a high byte."""
    return graph.find("QuantizeLinear", lambda node: graph.constant(node.input[1]) == 128)


def the_product(graph: Edited) -> Any:
    """A MatMulInteger with constant weights."""
    return graph.find("MatMulInteger", lambda node: graph.constant(node.input[1]) is not None)


def the_cache_product(graph: Edited) -> Any:
    """A MatMulInteger of two tensors that are not constant, both around 128."""
    return graph.find("MatMulInteger", lambda node: node.input[1].startswith("present."))


def the_peak_division(graph: Edited) -> Any:
    """The division by a row's largest magnitude."""
    return graph.find("Div", lambda node: graph.made_by(node, "Max", 1))


def the_total_division(graph: Edited) -> Any:
    """The division by the sum of the attention's weights."""
    return graph.find("Div", lambda node: graph.made_by(node, "Cast", 1))


def the_shift(graph: Edited) -> Any:
    """The int32 Mul of a high product."""
    return graph.find("Mul", lambda node: graph.made_by(node, "Split") and graph.constant(node.input[1]) == 128)
