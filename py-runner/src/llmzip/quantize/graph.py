"""A small writer of ONNX graphs: nodes and initializers in the order of their making.

Owns names and bytes of a graph under construction; knows nothing of any model.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

IR_VERSION = 8
OPSETS = {"": 14, "com.microsoft": 1}


class GraphWriter:
    """Collects nodes, initializers, inputs and outputs; `model` gives the finished ModelProto."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._known: set[str] = set()
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, kind: int, shape: list[int | str]) -> str:
        """Declare a graph input; strings in `shape` are symbolic dimensions."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int, shape: list[int | str]) -> None:
        """Declare a graph output; a node of that output name must exist."""
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """Store `value` once under `name` (a second call with the same name changes nothing)."""
        if name not in self._known:
            self._known.add(name)
            array = np.ascontiguousarray(value).reshape(value.shape)
            self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def node(
        self,
        op: str,
        name: str,
        inputs: list[str],
        outputs: list[str] | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Add a node and give its first output, `name` + "/output" unless `outputs` says otherwise."""
        results = outputs or [f"{name}/output"]
        self._nodes.append(helper.make_node(op, inputs, results, name=name, domain=domain, **attributes))
        return results[0]

    def model(self, graph_name: str, producer: str, metadata: dict[str, str] | None = None) -> onnx.ModelProto:
        """Return the whole model; `metadata` are its metadata_props."""
        graph = helper.make_graph(self._nodes, graph_name, self._inputs, self._outputs, self._initializers)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=producer)
        helper.set_model_props(model, metadata or {})
        return model


def without_content(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model with the header, inputs and outputs of `model`, but no node and no tensor yet."""
    bare = onnx.ModelProto()
    # A field that is not set is not written; one that is set to nothing is.
    for name in ("ir_version", "producer_name", "producer_version", "domain", "model_version", "doc_string"):
        if model.HasField(name):
            setattr(bare, name, getattr(model, name))
    bare.opset_import.extend(model.opset_import)
    bare.metadata_props.extend(model.metadata_props)
    bare.functions.extend(model.functions)
    bare.graph.name = model.graph.name
    bare.graph.input.extend(model.graph.input)
    bare.graph.output.extend(model.graph.output)
    return bare
