"""From a checkpoint folder or a 4-bit ONNX file to an exact model. Owns the choice of the source, its context, and the chain of hashes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from llmzip.errors import UsageError
from llmzip.exact import check
from llmzip.quantize.checkpoint import Checkpoint
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.flavours import EXACT
from llmzip.quantize.manifest import FileEntry, file_lines, variant_lines
from llmzip.quantize.onnx_weights import OnnxWeights

from .decoder import Provenance, build_exact_graph
from .trial import try_plans

LARGEST_CONTEXT = (2**31 - 1) // 255**2
"""So many products of two bytes, as the mean of values sums up, fit int32: 33,025."""
FILE_NAME = EXACT.file_name
"""What the file is called in the `onnx` folder of a model."""


@dataclass(frozen=True)
class ExactModel:
    """An exact graph as bytes, where its weights come from, and its context in tokens beside that of the source."""

    content: bytes
    source: Provenance
    positions: int
    source_positions: int

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    def manifest_entry(self) -> str:
        """The lines of a manifest.toml for this file."""
        file = FileEntry(f"onnx/{FILE_NAME}", len(self.content), self.sha256, self.source.file, self.source.sha256)
        return f"{variant_lines(EXACT)}\n{file_lines(file)}"


def check_source(source: Path) -> None:
    """Raise UsageError unless `source` is there, as a folder or an ONNX file."""
    if not source.is_dir() and not (source.suffix == ".onnx" and source.is_file()):
        raise UsageError(
            f"{source} is neither a folder nor an ONNX file",
            "name a folder with config.json and model.safetensors, or a 4-bit ONNX file",
        )


def export_exact(source: Path, positions: int | None = None) -> ExactModel:
    """Build the exact graph of a checkpoint folder or of a 4-bit ONNX file, hold it to the rules of exactness, and try it.

    Its context are the first `positions` tokens; unless given all that the model has, or LARGEST_CONTEXT if these are more. Raises
    QuantizeError, also when the graph breaks a rule with these weights or is not the same in every plan; UsageError if `source` is neither
    of the two, or does not have so many positions.
    """
    check_source(source)
    weights: Checkpoint | OnnxWeights = Checkpoint(source) if source.is_dir() else OnnxWeights(source)
    source_positions = weights.config.max_position_embeddings
    weights.config = weights.config.limited(_context(source, source_positions, positions))
    with weights.path.open("rb") as file:
        provenance = Provenance(weights.path.name, hashlib.file_digest(file, "sha256").hexdigest())
    content = build_exact_graph(weights, provenance)
    report = check(content)
    if not report.exact:
        raise QuantizeError(
            f"the graph of {weights.path} would break the rules of exactness {len(report.violations)} times, first: "
            f"{report.violations[0]}",
            "this model cannot be made exact; use another variant of it",
        )
    try_plans(content, weights.config)
    return ExactModel(content, provenance, weights.config.max_position_embeddings, source_positions)


def _context(source: Path, there: int, asked: int | None) -> int:
    """How many positions the graph gets."""
    most = min(there, LARGEST_CONTEXT)
    if asked is None:
        return most
    if asked > there:
        raise UsageError(f"{source} has {there} positions, not {asked}", f"give --positions {most} or less")
    if asked > LARGEST_CONTEXT:
        raise UsageError(
            f"an exact graph has at most {LARGEST_CONTEXT} positions, not {asked}: sums of more may not fit int32",
            f"give --positions {most} or less",
        )
    return asked
