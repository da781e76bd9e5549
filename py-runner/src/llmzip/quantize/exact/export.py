"""From a checkpoint folder or a 4-bit ONNX file to an exact model. Owns the choice of the source and the chain of hashes."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from llmzip.errors import UsageError
from llmzip.exact import check
from llmzip.quantize.checkpoint import Checkpoint
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.onnx_weights import OnnxWeights

from .decoder import Provenance, build_exact_graph

FILE_NAME = "model_exact.onnx"
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

    def manifest_entry(self, path: str = f"onnx/{FILE_NAME}") -> str:
        """The lines of models/manifest.toml for this file."""
        pairs: dict[str, dict[str, str | int]] = {
            "variant": {"dtype": "exact", "file": path, "activation": "exact", "eps": "0"},
            "file": {
                "path": path,
                "bytes": len(self.content),
                "sha256": self.sha256,
                "source": self.source.file,
                "source_sha256": self.source.sha256,
            },
        }
        tables = [
            "\n".join((f"[[model.{name}]]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())))
            for name, table in pairs.items()
        ]
        return "\n\n".join(tables) + "\n"


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
