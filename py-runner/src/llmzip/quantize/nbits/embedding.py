"""GatherBlockQuantized in the place of the embedding's Gather. Owns that node."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .matmul import MICROSOFT, renamed, renamed_output
from .stored import StoredBlocks


def look_up(node: onnx.NodeProto, weight: StoredBlocks) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """What stands for the Gather `node` of the rows of `weight`, and the constants that it needs.

    Packed weights that a product reads too have a shape of their own for it: they are turned by a Reshape, which ONNX Runtime folds when
    it loads the graph.
    """
    name = renamed(node, "GatherBlockQuantized")
    packed, *others = weight.names
    nodes, constants = [], []
    if weight.readers == "both":
        shape = np.array([weight.rows, weight.columns * weight.bits // 8], np.int64)
        constants.append(numpy_helper.from_array(shape, f"{packed}_shape"))
        nodes.append(
            helper.make_node("Reshape", [packed, f"{packed}_shape"], [f"{packed}_rows"], name=f"{name}/Reshape")
        )
        packed = f"{packed}_rows"
    gather = helper.make_node(
        "GatherBlockQuantized",
        [packed, node.input[1], *others],
        [renamed_output(node, name)],
        name=name,
        domain=MICROSOFT,
        gather_axis=0,
        quantize_axis=1,
        block_size=weight.block,
        bits=weight.bits,
    )
    return [*nodes, gather], constants
