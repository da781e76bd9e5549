"""The baseline: the checkpoint run by transformers itself, in float32. Owns the windows of tokens and the files that come back.

Not another export: a wrong position or mask would hide in all runtimes alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmzip.errors import IoError
from llmzip.quantize.drive import Ids
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.export.environment import BASELINE, prepare
from llmzip.quantize.export.process import Talk, run
from llmzip.quantize.source import CheckpointFolder

_CHILD = Path(__file__).with_name("baseline_child.py")


@dataclass(frozen=True)
class Baseline:
    """What transformers computed, window by window, in files of `folder`; `versions` of the libraries that did it."""

    folder: Path
    windows: tuple[Ids, ...]
    versions: dict[str, str]

    def logits(self, window: int) -> npt.NDArray[np.float32]:
        """Logits after each token of a window, [n, vocabulary]."""
        return self._read(f"logits-{window}.npy")

    def cache(self, window: int, layer: int, part: str) -> npt.NDArray[np.float32]:
        """A layer's `key` or `value`, [heads, n, size]; of a layer with a sliding window the last n of them only."""
        return self._read(f"{part}-{window}-{layer}.npy")

    def _read(self, name: str) -> npt.NDArray[np.float32]:
        array: npt.NDArray[np.float32] = np.load(self.folder / name, mmap_mode="r", allow_pickle=False)
        return array


def run_baseline(source: CheckpointFolder, windows: list[Ids], folder: Path, talk: Talk) -> Baseline:
    """Run the checkpoint on windows of ids [n] and keep what comes of it in the new folder `folder`.

    Raises QuantizeError, SetupError, IoError.
    """
    python = prepare(BASELINE, talk)
    talk(f"running {source.architecture} by transformers, for comparison")
    try:
        folder.mkdir()
        for index, ids in enumerate(windows):
            np.save(folder / f"ids-{index}.npy", ids)
    except OSError as error:
        raise IoError.writing(folder, error) from error
    log = folder / "log"
    run([python, _CHILD, source.folder.resolve(), folder], "the run by transformers", log, QuantizeError, talk)
    return Baseline(folder, tuple(windows), json.loads((folder / "versions.json").read_text(encoding="utf-8")))
