"""An exporter's files as the graph that the rest works on. Owns reading and writing of float graphs, and the names of their dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from llmzip.errors import IoError
from llmzip.model.signature import PAST, PRESENT
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.exported import ExportedGraph
from llmzip.quantize.flavours import LARGEST_FILE


@dataclass(frozen=True)
class Exported:
    """A float graph in memory, and the file that ONNX Runtime can run it from."""

    graph: ExportedGraph
    file: Path


def loaded(file: Path, config: dict[str, Any]) -> Exported:
    """The graph that an exporter wrote, with float32 activations and the head's size said in numbers. Raises QuantizeError."""
    try:
        model = onnx.load_model(str(file))
    except (OSError, DecodeError, ValueError, onnx.checker.ValidationError) as error:
        raise QuantizeError(
            f"the exporter wrote no graph that can be read: {error}", "try another --exporter"
        ) from error
    size = _head_size(config)
    for each in (*model.graph.input, *model.graph.output):
        # A runtime that has to take it from config.json may take the wrong one.
        if each.name.startswith((PAST, PRESENT)) and len(each.type.tensor_type.shape.dim) == 4 and size:
            last = each.type.tensor_type.shape.dim[3]
            if not last.HasField("dim_value"):
                last.Clear()
                last.dim_value = size
    return Exported(ExportedGraph(model, "fp32"), file)


def saved(graph: ExportedGraph, file: Path) -> Exported:
    """A graph made in memory, with a file to run it from. Raises IoError."""
    try:
        if graph.model.ByteSize() < LARGEST_FILE:
            file.write_bytes(graph.model.SerializeToString())
        else:
            copy = onnx.ModelProto()
            copy.CopyFrom(graph.model)
            onnx.save_model(copy, str(file), save_as_external_data=True, location=file.name + "_data")
    except OSError as error:
        raise IoError.writing(file, error) from error
    return Exported(graph, file)


def _head_size(config: dict[str, Any]) -> int | None:
    size = config.get("head_dim")
    if not size:
        width, heads = config.get("hidden_size"), config.get("num_attention_heads")
        size = width // heads if isinstance(width, int) and isinstance(heads, int) and heads else None
    return size if isinstance(size, int) else None
