"""From a checkpoint folder or a 4-bit ONNX file to an exact model. Owns the choice of the source and the chain of hashes."""

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

FILE_NAME = EXACT.file_name
"""What the file is called in the `onnx` folder of a model."""


@dataclass(frozen=True)
class ExactModel:
    """An exact graph as bytes, and where its weights come from."""

    content: bytes
    source: Provenance

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    def manifest_entry(self) -> str:
        """The lines of models/manifest.toml for this file."""
        file = FileEntry(f"onnx/{FILE_NAME}", len(self.content), self.sha256, self.source.file, self.source.sha256)
        return f"{variant_lines(EXACT)}\n{file_lines(file)}"


def export_exact(source: Path) -> ExactModel:
    """Build the exact graph of a checkpoint folder or of a 4-bit ONNX file, and hold it to the rules of exactness.

    Raises QuantizeError, also when the graph breaks a rule with these weights; UsageError if `source` is neither.
    """
    if source.is_dir():
        weights: Checkpoint | OnnxWeights = Checkpoint(source)
    elif source.suffix == ".onnx" and source.is_file():
        weights = OnnxWeights(source)
    else:
        raise UsageError(
            f"{source} is neither a folder nor an ONNX file",
            "name a folder with config.json and model.safetensors, or a 4-bit ONNX file",
        )
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
    return ExactModel(content, provenance)
