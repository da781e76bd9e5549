"""Builds the ONNX files of a checkpoint, as `llmzip quantize` does of any other. Owns the onnx folder."""

from pathlib import Path

from llmzip.quantize import FLAVOURS, PRESETS, Checkpoint, quantized_flavours, serialised
from llmzip.quantize.exact import FILE_NAME as EXACT_FILE
from llmzip.quantize.exact import export_exact
from llmzip.quantize.export.own import export_own

from .files import write_whole

FLAVOUR_FILES = tuple(flavour.file_name for flavour in FLAVOURS.values())
GRAPH_FILES = (EXACT_FILE, *FLAVOUR_FILES)


def export(folder: Path) -> None:
    """Write `onnx/model_exact.onnx` and `onnx/model_{flavour}.onnx`, from config.json and model.safetensors."""
    graphs = quantized_flavours(export_own(Checkpoint(folder)), PRESETS["transformers-js"])
    for name, model in graphs.items():
        write_whole(folder / "onnx" / FLAVOURS[name].file_name, serialised(model))
    write_whole(folder / "onnx" / EXACT_FILE, export_exact(folder).content)
