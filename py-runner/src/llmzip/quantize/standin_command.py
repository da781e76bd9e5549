"""A stand-in made into a model folder. Owns where its tokenizer is looked for and the checkpoint that lies between."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmzip.errors import UsageError

from .artefacts import TOKENIZER, refuse_existing
from .pipeline import Request, Talk, quantize_checkpoint
from .source import read_folder
from .standin import make_checkpoint, stand_in


def quantize_stand_in(name: str, seed: int, tokenizer: Path | None, request: Request, talk: Talk) -> dict[str, Any]:
    """Make the checkpoint of that name and seed, and its model folder; give the report. Raises UsageError without a tokenizer."""
    chosen = stand_in(name)
    refuse_existing(request.out, overwrite=request.overwrite)
    if tokenizer is None:
        raise UsageError(
            f"the stand-in {name} needs the model's tokenizer",
            f"name a folder that has its {TOKENIZER} with --tokenizer",
        )
    if not request.out.absolute().parent.is_dir():
        raise UsageError(
            f"there is no folder {request.out.parent} to put the model in", "make it, or name another --out"
        )
    # Only this exporter builds in the style of the real file: a separate RotaryEmbedding with position_ids.
    exporter = "own" if request.exporter == "auto" else request.exporter
    with tempfile.TemporaryDirectory(prefix=".llmzip-", suffix=".tmp", dir=request.out.absolute().parent) as scratch:
        talk(f"making a checkpoint of the shape of {name}, seed {seed}")
        make_checkpoint(chosen, Path(scratch), seed, tokenizer)
        source = read_folder(Path(scratch), f"random weights of the shape of {name}, seed {seed}")
        return quantize_checkpoint(source, replace(request, exporter=exporter), talk)
