"""From a model folder to a model that predicts. Owns what must be true of a folder before anything of it is used."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from llmzip.errors import ModelError, SetupError, UsageError, VocabularyError
from llmzip.model.graph import GraphView
from llmzip.model.manifest import ModelRecord, Variant
from llmzip.model.model_files import read_model_files
from llmzip.model.provenance import find_record, read_verified
from llmzip.model.session import Session, SessionOptions, container_fingerprint
from llmzip.model.source import LanguageModel
from llmzip.model.tokenizer import Tokenizer

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "config.json"
GRAPH_FILE = re.compile(r"model(?:_(.+))?\.onnx")
# As transformers.js names the graph that has no suffix.
UNNAMED_VARIANT = "fp32"
# For a graph that no manifest knows: wide enough for activations in half precision.
CAUTIOUS_EPS = "2e-2"


@dataclass(frozen=True)
class LoadedModel(LanguageModel):
    """A model from a folder."""

    source: Session
    tokenizer: Tokenizer
    model_path: Path

    def inspect(self) -> GraphView:
        """What the graph declares. Raises `IntegrityError` when the file has changed since it was loaded."""
        return self.source.inspect(read_model_files(self.model_path, self.model_sha256).onnx)


def load_model(
    model_dir: Path,
    model_file: str,
    settings: SessionOptions,
    model_sha256: str | None = None,
    tokenizer_sha256: str | None = None,
    config_sha256: str | None = None,
) -> LoadedModel:
    """Load a graph and its tokenizer.

    The bytes that are hashed are the bytes that are loaded. Raises `IntegrityError` for a SHA-256 that is not the expected one (None
    expects nothing), `VocabularyError` when the parts do not belong together, `ModelError`, `SetupError`, `IoError`.
    """
    model_path = model_dir / model_file
    files = read_model_files(model_path, model_sha256)
    tokenizer_content, tokenizer_hash = read_verified(model_dir / TOKENIZER_FILE, tokenizer_sha256)
    config_content, _ = read_verified(model_dir / CONFIG_FILE, config_sha256)
    try:
        config = json.loads(config_content)
    except ValueError as error:
        raise ModelError(f"{model_dir / CONFIG_FILE} is not JSON: {error}", "get it again with the model") from error
    if not isinstance(config, dict):
        raise ModelError(f"{model_dir / CONFIG_FILE} is not a JSON object", "get it again with the model")
    tokenizer = Tokenizer(tokenizer_content)
    session = Session(files, config, settings)
    if tokenizer.size > session.vocab_size:
        raise VocabularyError(
            f"the tokenizer's largest id is {tokenizer.size - 1}, {model_path} has a vocabulary of {session.vocab_size}",
            "use the graph, the config.json and the tokenizer.json of one model",
        )
    return LoadedModel(
        session, tokenizer, files.sha256, tokenizer_hash, container_fingerprint(session.exactness), model_path
    )


def load_variant(
    model_dir: Path, record: ModelRecord, variant: Variant, settings: SessionOptions, *, verify: bool
) -> LoadedModel:
    """Load a variant that the manifest names, held to the manifest's SHA-256s if `verify`."""
    known, model_sha256 = (record.sha256, record.model_sha256(variant)) if verify else ({}, None)
    return load_model(
        model_dir, variant.file, settings, model_sha256, known.get(TOKENIZER_FILE), known.get(CONFIG_FILE)
    )


def unrecorded_model(model_dir: Path) -> ModelRecord:
    """A record of what lies in a folder that no manifest knows: every graph in `onnx/`, without a hash."""
    names = [path.name for path in (model_dir / "onnx").iterdir()] if (model_dir / "onnx").is_dir() else []
    found = [match for match in map(GRAPH_FILE.fullmatch, names) if match]
    variants = [Variant(match[1] or UNNAMED_VARIANT, f"onnx/{match[0]}", CAUTIOUS_EPS) for match in found]
    return ModelRecord(model_dir.name, variants=tuple(sorted(variants, key=lambda variant: variant.dtype)))


def record_of(model_dir: Path) -> ModelRecord:
    """The manifest's record of a model folder, or one made from what lies there.

    Raises `UsageError` when there is no such folder, `SetupError` when it is not a model's, or the manifest beside it cannot be used.
    """
    hint = "name a folder that holds config.json, tokenizer.json and onnx/"
    if not model_dir.is_dir():
        raise UsageError(f"there is no model folder {model_dir}", hint)
    record = find_record(model_dir) or unrecorded_model(model_dir)
    if not record.variants:
        raise SetupError(
            f"{model_dir} is not a model folder: it has no onnx/model.onnx and no onnx/model_NAME.onnx", hint
        )
    return record
