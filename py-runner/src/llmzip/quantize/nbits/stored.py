"""Blocks as initializers of a graph. Owns their names and shapes; one set of them may serve several nodes.

The weight `W` becomes `W_q4` (or `W_q8`), `W_scales` and, when it is asymmetric, `W_zero_points`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from onnx import numpy_helper

from .scales import Blocks

Readers = Literal["product", "lookup", "both"]


@dataclass(frozen=True)
class StoredBlocks:
    """The initializers of one matrix [rows, columns], and what a node must be told of them."""

    tensors: tuple[onnx.TensorProto, ...]
    rows: int
    columns: int
    bits: int
    block: int
    readers: Readers

    @property
    def names(self) -> list[str]:
        """The names of packed weights and scales, and of zero points where there are any."""
        return [tensor.name for tensor in self.tensors]


def stored(name: str, blocks: Blocks, dtype: np.dtype[np.generic], readers: Readers) -> StoredBlocks:
    """Name and shape the blocks of the weight `name`; scales get `dtype`.

    MatMulNBits takes packed weights as [rows, blocks, bytes of a block] and its scales in one row or as [rows, blocks];
    GatherBlockQuantized takes both with two dimensions. What both read is stored as MatMulNBits takes it.
    """
    rows, count, width = blocks.packed.shape
    columns = count * width * 8 // blocks.bits
    packed = blocks.packed.reshape(rows, -1) if readers == "lookup" else blocks.packed
    scales, zeros = blocks.scales.astype(dtype), blocks.zero_points
    if readers == "product":
        scales = scales.reshape(-1)
        zeros = None if zeros is None else zeros.reshape(-1)
    tensors = [
        numpy_helper.from_array(np.ascontiguousarray(packed), f"{name}_q{blocks.bits}"),
        numpy_helper.from_array(np.ascontiguousarray(scales), f"{name}_scales"),
    ]
    if zeros is not None:
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(zeros), f"{name}_zero_points"))
    return StoredBlocks(tuple(tensors), rows, columns, blocks.bits, columns // count, readers)
