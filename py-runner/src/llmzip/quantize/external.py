"""Weights of a graph in files of their own. Owns their names, sizes and places; the graph keeps what is small.

transformers.js looks for `model_q4f16.onnx_data`, then `model_q4f16.onnx_data_1` and so on, beside `model_q4f16.onnx`.
"""

from collections.abc import Callable
from typing import BinaryIO

import onnx
from onnx.external_data_helper import set_external_data

from .errors import QuantizeError
from .graph import without_content

MOST_FILES = 100
"""As many as transformers.js loads."""
_SMALL = 4096
# ONNX Runtime maps a file's pages where a tensor begins on one.
_PAGE = 4096
_MIB = 1 << 20


def data_file_names(file_name: str, count: int) -> list[str]:
    """The names of `count` files beside the graph `file_name`."""
    return [f"{file_name}_data" + (f"_{index}" if index else "") for index in range(count)]


def split_weights(
    model: onnx.ModelProto, file_name: str, mib: int, create: Callable[[str], BinaryIO]
) -> tuple[onnx.ModelProto, int]:
    """Write the large tensors of `model` to files of at most `mib` MiB, which `create` opens by name.

    Returns the graph that points to them, and their number; `model` stays as it is. Raises QuantizeError when a single tensor is larger
    than that, or when the files are more than transformers.js loads.
    """
    large = [each for each in model.graph.initializer if len(each.raw_data) >= _SMALL]
    places, count = _places(large, mib)
    names = data_file_names(file_name, count)
    for index, name in enumerate(names):
        with create(name) as file:
            for tensor in large:
                if places[tensor.name][0] == index:
                    file.write(b"\0" * (places[tensor.name][1] - file.tell()))
                    file.write(tensor.raw_data)
    pointing = without_content(model)
    pointing.graph.node.extend(model.graph.node)
    for tensor in model.graph.initializer:
        kept = pointing.graph.initializer.add()
        if tensor.name not in places:
            kept.CopyFrom(tensor)
            continue
        kept.name, kept.data_type = tensor.name, tensor.data_type
        kept.dims.extend(tensor.dims)
        # The helper asks for the field whose content is elsewhere now.
        kept.raw_data = b""
        index, offset = places[tensor.name]
        set_external_data(kept, names[index], offset, len(tensor.raw_data))
        kept.ClearField("raw_data")
    return pointing, count


def _places(tensors: list[onnx.TensorProto], mib: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Per tensor the index of its file and the offset there, and how many files there are; in the order of the graph."""
    places: dict[str, tuple[int, int]] = {}
    index, end = 0, 0
    for tensor in tensors:
        size = len(tensor.raw_data)
        if size > mib * _MIB:
            raise QuantizeError(
                f"{tensor.name} has {-(-size // _MIB)} MiB, more than the {mib} MiB that a file may have",
                "allow files that hold it, or quantise the embedding too",
            )
        start = -(-end // _PAGE) * _PAGE
        if start + size > mib * _MIB:
            index, start = index + 1, 0
        places[tensor.name] = (index, start)
        end = start + size
    count = index + 1 if tensors else 0
    if count > MOST_FILES:
        raise QuantizeError(
            f"the weights would be {count} files, transformers.js loads {MOST_FILES}", "allow larger files"
        )
    return places, count
