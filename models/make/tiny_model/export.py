"""Builds the ONNX files of a checkpoint with the project's own quantiser. Owns the onnx folder."""

from pathlib import Path

from llmzip.quantize import FLAVOURS, Checkpoint, build_graph
from llmzip.quantize.exact import FILE_NAME as EXACT_FILE
from llmzip.quantize.exact import export_exact

from .files import write_whole

FLAVOUR_FILES = tuple(flavour.file_name for flavour in FLAVOURS.values())
GRAPH_FILES = (EXACT_FILE, *FLAVOUR_FILES)


def export(folder: Path) -> None:
    """Write `onnx/model_exact.onnx` and `onnx/model_{flavour}.onnx`, from config.json and model.safetensors."""
    checkpoint = Checkpoint(folder)
    for flavour in FLAVOURS.values():
        write_whole(folder / "onnx" / flavour.file_name, build_graph(checkpoint, flavour))
    write_whole(folder / "onnx" / EXACT_FILE, export_exact(folder).content)
