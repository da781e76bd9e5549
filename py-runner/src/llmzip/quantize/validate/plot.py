"""The picture of a validation: error by position, and its histogram. Owns what goes into it; it is drawn where there is a plotter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from llmzip.errors import IoError
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.export.environment import BASELINE, prepare
from llmzip.quantize.export.process import Talk, run

from .measures import Floats, Measured

_CHILD = Path(__file__).with_name("plot_child.py")


def draw(title: str, graphs: Mapping[str, Measured], folder: Path, talk: Talk) -> bytes:
    """The PNG of the graphs' errors; `folder` is an empty one for what comes between. Raises QuantizeError, SetupError, IoError."""
    python = prepare(BASELINE, talk)
    try:
        folder.mkdir()
        arrays = {f"{name}/{what}": array for name, each in graphs.items() for what, array in _columns(each).items()}
        np.savez(folder / "data.npz", allow_pickle=False, **arrays)
        command: list[str | Path] = [python, _CHILD, folder / "data.npz", folder / "plot.png", title]
        # It keeps a list of the machine's fonts in a folder of its own.
        settings = {"MPLCONFIGDIR": str(folder)}
        run(command, "the plot", folder / "log", QuantizeError, talk, settings)
        return (folder / "plot.png").read_bytes()
    except OSError as error:
        raise IoError.writing(folder, error) from error


def _columns(measured: Measured) -> dict[str, Floats]:
    return {"kl": measured.kl, "difference": measured.difference}
