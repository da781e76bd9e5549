"""The shapes of an exact graph's tensors, written into its file. Owns their names; what they are is the checker's to say.

ONNX Runtime infers shapes itself, but loses count of the batch where a graph lays two bytes below each other and cuts their product in
two again. With lengths that it cannot compare it finds no buffer to use again, and looks through all of them at every node: with thirty
layers, loading took ten seconds instead of one.
"""

import onnx
from onnx import helper

from llmzip.exact import describe
from llmzip.exact.shapes import BATCH, PAST, SEQUENCE, TOTAL, Dim

_NAMES = {
    BATCH: "batch_size",
    SEQUENCE: "sequence_length",
    PAST: "past_sequence_length",
    TOTAL: "total_sequence_length",
}
"""As inputs and outputs have them."""


def declare_shapes(model: onnx.ModelProto) -> None:
    """Write type and shape of every tensor between inputs and outputs into a model, as far as they are known."""
    known = describe(model.SerializeToString())
    outputs = {output.name for output in model.graph.output}
    for node in model.graph.node:
        for name in node.output:
            value = known[name]
            if name not in outputs and value.shape is not None and not value.tainted:
                shape = [_dimension(dim) for dim in value.shape]
                model.graph.value_info.append(helper.make_tensor_value_info(name, value.kind, shape))


def _dimension(dim: Dim) -> int | str | None:
    if dim.known is not None:
        return dim.known
    if not all(name in _NAMES for name in dim.names):
        return None
    names = [_NAMES[name] for name in dim.names]
    return "*".join(names if dim.factor == 1 else [str(dim.factor), *names])
