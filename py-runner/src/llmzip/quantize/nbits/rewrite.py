"""A float graph rewritten with weights of few bits. Owns the order of the steps and what is left of the float weights."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper, numpy_helper

from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.exported import ExportedGraph
from llmzip.quantize.graph import without_content

from .embedding import look_up
from .find import GraphIndex, Lookup, Product, names_read
from .matmul import MICROSOFT, multiply
from .scales import quantize as quantize_blocks
from .settings import NbitsSettings
from .stored import Readers, StoredBlocks, stored
from .tied import is_tied, read_once

Progress = Callable[[int, int], None]
"""Called with the number of matrices that are done, and of all."""


def quantize(graph: ExportedGraph, settings: NbitsSettings, progress: Progress | None = None) -> onnx.ModelProto:
    """Return the graph with its linear layers as MatMulNBits and, if asked for, its token embedding as GatherBlockQuantized.

    `graph` stays as it is. A head that is the embedding, or a copy of it, is stored once: in few bits with the embedding, else as the
    embedding's float matrix. Scales have the type of the weights that they replace. Raises QuantizeError when there is nothing to
    quantise, when a group does not divide the inputs of a layer, or when a weight is not finite.
    """
    return _Rewrite(graph.model, settings).run(progress or (lambda _done, _all: None))


class _Rewrite:
    def __init__(self, model: onnx.ModelProto, settings: NbitsSettings) -> None:
        self._model = model
        self._settings = settings
        self._index = GraphIndex(model.graph)
        self._stored: dict[str, StoredBlocks] = {}
        self._nodes: dict[int, list[onnx.NodeProto]] = {}
        self._constants: list[onnx.TensorProto] = []
        self._matrices: set[str] = set()

    def run(self, progress: Progress) -> onnx.ModelProto:
        index, group = self._index, self._settings.embedding_group
        embedding = index.embedding()
        if embedding is None and group is not None:
            raise QuantizeError(
                "the graph looks its input_ids up in no constant matrix, so there is no embedding to quantise",
                "keep the embedding as it is (--no-embeddings)",
            )
        products = list(index.products())
        self._matrices = {each.weight for each in products} | ({embedding.weight} if embedding else set())
        tied = [each for each in products if embedding is not None and is_tied(index, embedding, each)]
        linear: dict[str, list[Product]] = {}
        for each in products:
            if each not in tied and (embedding is None or each.weight != embedding.weight):
                linear.setdefault(each.weight, []).append(each)
        if not linear and group is None:
            raise QuantizeError("the graph has no product with a constant matrix", "use the float graph of a decoder")
        total = len(linear) + (group is not None)
        for done, (name, readers) in enumerate(linear.items()):
            progress(done, total)
            self._linear(name, readers)
        if embedding is not None and group is not None:
            progress(total - 1, total)
            self._embedding(embedding, tied, group)
        elif embedding is not None:
            for each in tied:
                if each.weight != embedding.weight:
                    self._nodes[each.position] = read_once(index.nodes[each.position], embedding.weight)
        progress(total, total)
        return self._assembled()

    def _linear(self, name: str, readers: list[Product]) -> None:
        # A matrix that is read both as it is and turned can be stored for one of the two; the other product stays as it was.
        rows_first = readers[0].rows_first
        self._store(name, self._settings.matmul_group, "product", rows_first=rows_first)
        for each in readers:
            if each.rows_first == rows_first:
                self._multiply(each.position, name)

    def _embedding(self, embedding: Lookup, tied: list[Product], group: int) -> None:
        name = embedding.weight
        self._store(name, group, "both" if tied else "lookup", rows_first=True)
        for each in tied:
            self._multiply(each.position, name)
        nodes, self._constants = look_up(self._index.nodes[embedding.position], self._stored[name])
        self._nodes[embedding.position] = nodes

    def _multiply(self, position: int, name: str) -> None:
        self._nodes[position] = multiply(self._index.nodes[position], self._stored[name], self._index.outputs)

    def _store(self, name: str, group: int, readers: Readers, *, rows_first: bool) -> None:
        tensor, settings = self._index.initializers[name], self._settings
        array = numpy_helper.to_array(tensor)
        weight = np.ascontiguousarray(array if rows_first else array.T, dtype=np.float32)
        try:
            blocks = quantize_blocks(weight, group, settings.bits, settings.scale, symmetric=settings.symmetric)
        except QuantizeError as error:
            raise QuantizeError(f"{name}: {error.message}", error.hint) from error
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
        self._stored[name] = stored(name, blocks, dtype, readers)

    def _assembled(self) -> onnx.ModelProto:
        model = without_content(self._model)
        if all(each.domain != MICROSOFT for each in model.opset_import):
            model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
        graph = model.graph
        nodes = self._live_nodes()
        graph.node.extend(nodes)
        read = names_read(nodes) | self._index.outputs
        for tensor in self._model.graph.initializer:
            replaced = self._stored.get(tensor.name)
            graph.initializer.extend(replaced.tensors if replaced else ())
            # A float matrix that another node still reads stays.
            if tensor.name in read or tensor.name not in self._matrices:
                graph.initializer.append(tensor)
        graph.initializer.extend(self._constants)
        return model

    def _live_nodes(self) -> list[onnx.NodeProto]:
        """The nodes in order, without those that only turned a weight; readers follow an output's new name."""
        names: dict[str, str] = {}
        nodes: list[onnx.NodeProto] = []
        for position, old in enumerate(self._index.nodes):
            made = self._nodes.get(position, [old])
            names[old.output[0]] = made[-1].output[0]
            nodes += made
        live: list[onnx.NodeProto] = []
        read = set(self._index.outputs)
        for node in reversed(nodes):
            if node.op_type in ("Transpose", "Identity") and names.get(node.output[0], node.output[0]) not in read:
                continue
            kept = onnx.NodeProto()
            kept.CopyFrom(node)
            kept.input[:] = [names.get(name, name) for name in node.input]
            live.append(kept)
            read |= names_read([kept])
        return live[::-1]
