"""A head that is the token embedding, turned. Owns how it is told and how it stays stored once.

Some exporters turn the embedding in the graph, others store a turned copy beside it.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .find import GraphIndex, Lookup, Product


def is_tied(index: GraphIndex, embedding: Lookup, product: Product) -> bool:
    """Whether `product` multiplies by the embedding [vocab, hidden], turned, whatever tensor holds it."""
    if product.weight == embedding.weight:
        return product.rows_first
    head, table = index.initializers[product.weight], index.initializers[embedding.weight]
    dims = list(head.dims) if product.rows_first else list(head.dims)[::-1]
    if dims != list(table.dims) or head.data_type != table.data_type:
        return False
    matrix = numpy_helper.to_array(head)
    return np.array_equal(matrix if product.rows_first else matrix.T, numpy_helper.to_array(table))


def read_once(node: onnx.NodeProto, embedding: str) -> list[onnx.NodeProto]:
    """A product with a copy of the embedding, as one with the embedding itself, which a Transpose turns."""
    turned = f"{node.name or node.output[0]}/Transpose"
    transpose = helper.make_node("Transpose", [embedding], [f"{turned}/output"], name=turned, perm=[1, 0])
    product = onnx.NodeProto()
    product.CopyFrom(node)
    product.input[1] = transpose.output[0]
    for each in product.attribute:
        if each.name == "transB":
            each.i = 0
    return [transpose, product]
