"""Which exporter makes the graph of a checkpoint. Owns the order of the candidates and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

from llmzip.quantize.checkpoint import Checkpoint
from llmzip.quantize.config import DecoderConfig, Family
from llmzip.quantize.errors import CheckpointError, QuantizeError
from llmzip.quantize.source import CONFIG, CheckpointFolder

from . import fused, generic
from .loaded import Exported, loaded, saved
from .own import export_own
from .process import Talk

AUTO = ("fused", "generic")
"""The order of `auto`: fused attention is faster token by token, the other knows nearly every family."""
EXPORTERS = (*AUTO, "own")

_WHY_NOT = {"fused": fused.why_not, "generic": generic.why_not}
_EXPORT = {"fused": fused.export, "generic": generic.export}


def candidates(source: CheckpointFolder, asked: str) -> list[str]:
    """The exporters to try, in order. Raises QuantizeError, with the reason of each, when none can do the checkpoint."""
    names = AUTO if asked == "auto" else (asked,)
    reasons = {name: _why_not(name, source) for name in names}
    able = [name for name, reason in reasons.items() if reason is None]
    if not able:
        why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise QuantizeError(
            f"no exporter can do {source.origin} ({source.family}, {source.architecture}): {why}",
            "use a checkpoint of another family" if asked == "auto" else "leave the choice to --exporter auto",
        )
    return able


def export(name: str, source: CheckpointFolder, scratch: Path, talk: Talk) -> Exported:
    """The float graph of a checkpoint by the exporter `name`, with its file in the new folder `scratch`.

    Raises QuantizeError, SetupError, IoError.
    """
    scratch.mkdir()
    out = scratch / "graph"
    if name == "own":
        out.mkdir()
        talk(f"building the graph of {source.architecture}")
        return saved(export_own(Checkpoint(source.folder)), out / "model.onnx")
    return loaded(_EXPORT[name](source, out, talk), source.config)


def _why_not(name: str, source: CheckpointFolder) -> str | None:
    if name != "own":
        return _WHY_NOT[name](source)
    try:
        config = DecoderConfig.read(source.folder / CONFIG)
    except CheckpointError as error:
        return error.message
    plain = config.family == Family() and config.sliding_window is None
    return None if plain else f"it builds Llama's graph, not that of {source.family}"
