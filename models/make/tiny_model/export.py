"""Builds the ONNX files of a checkpoint with the project's own quantiser. Owns the onnx folder."""

from pathlib import Path

from llmzip.quantize import FLAVOURS, Checkpoint, build_graph

from .files import write_whole

FLAVOUR_FILES = tuple(flavour.file_name for flavour in FLAVOURS.values())


def export(folder: Path) -> None:
    """Write `onnx/model_{flavour}.onnx` for each flavour, from config.json and model.safetensors."""
    checkpoint = Checkpoint(folder)
    for flavour in FLAVOURS.values():
        write_whole(folder / "onnx" / flavour.file_name, build_graph(checkpoint, flavour))
