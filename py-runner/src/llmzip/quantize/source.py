"""SOURCE: a checkpoint folder, or one of the Hugging Face hub. Owns the finding of its files and the refusal of what is no decoder.

Weights are looked at by name only. Code that comes with a checkpoint is never run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmzip.errors import IoError, SetupError, UsageError

from .artefacts import TOKENIZER, Weights
from .errors import CheckpointError

CONFIG = "config.json"
ONE_FILE, SHARDS = "model.safetensors", "model.safetensors.index.json"
_WANTED = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_JSON_LIMIT = 64 * 2**20
# Families whose models fill in blanks or sort texts: they see what comes after a token.
_ENCODERS = frozenset(
    {
        "albert",
        "bert",
        "camembert",
        "convbert",
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "ernie",
        "esm",
        "funnel",
        "ibert",
        "layoutlm",
        "longformer",
        "luke",
        "megatron-bert",
        "mobilebert",
        "modernbert",
        "mpnet",
        "nystromformer",
        "rembert",
        "roberta",
        "roformer",
        "xlm-roberta",
        "xlnet",
    }
)


@dataclass(frozen=True)
class CheckpointFolder:
    """A checkpoint of a decoder: where it lies and what its `config.json` says.

    `weights` are the names of its safetensors files; `origin` is the folder or hub id that was asked for, `revision` the hub's commit.
    """

    folder: Path
    config: dict[str, Any]
    weights: tuple[str, ...]
    origin: str
    revision: str | None = None

    @property
    def family(self) -> str:
        """`config.json`'s model_type."""
        return str(self.config["model_type"])

    @property
    def architecture(self) -> str:
        """The class that transformers runs it by."""
        return str(self.config["architectures"][0])

    def identity(self) -> Weights:
        """What its weights are known by: the file and its SHA-256; of several, the index and the SHA-256 of all their SHA-256s."""
        if len(self.weights) == 1:
            return Weights(self.weights[0], _sha256(self.folder / self.weights[0]))
        each = "".join(f"{_sha256(self.folder / name)}  {name}\n" for name in self.weights)
        return Weights(SHARDS, hashlib.sha256(each.encode()).hexdigest())


def open_source(source: str, revision: str | None = None) -> CheckpointFolder:
    """The checkpoint in the folder `source`, or of that hub id (got from the hub unless its cache has it).

    Raises UsageError where it is neither, SetupError when the hub does not give it, CheckpointError for what cannot be a decoder here.
    """
    path = Path(source)
    if source and path.is_dir():
        if revision is not None:
            raise UsageError(f"{source} is a folder and has no revisions", "leave --revision out")
        return read_folder(path, source)
    if path.exists() or not _HUB_ID.fullmatch(source):
        raise UsageError(
            f"{source} is neither a folder nor a hub id",
            "name a folder with config.json, model.safetensors and tokenizer.json, or OWNER/NAME of the Hugging Face hub",
        )
    folder = _from_hub(source, revision)
    return read_folder(folder, source, folder.name)


def read_folder(folder: Path, origin: str, revision: str | None = None) -> CheckpointFolder:
    """The checkpoint in `folder`. Raises CheckpointError."""
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"{folder} has no {CONFIG}", "name the folder of a whole checkpoint")
    config = _json(folder / CONFIG)
    _refuse_what_is_no_decoder(folder, config)
    if not (folder / TOKENIZER).is_file():
        raise CheckpointError(
            f"{folder} has no {TOKENIZER}",
            "save the tokenizer in the fast format first (AutoTokenizer.from_pretrained(...).save_pretrained(...))",
        )
    return CheckpointFolder(folder, config, _weights(folder), origin, revision)


def _refuse_what_is_no_decoder(folder: Path, config: dict[str, Any]) -> None:
    family, architectures = config.get("model_type"), config.get("architectures")
    if not isinstance(family, str) or not isinstance(architectures, list) or not architectures:
        raise CheckpointError(
            f"{folder / CONFIG} does not say its model_type and architectures", "use the config.json of the checkpoint"
        )
    architecture = str(architectures[0])
    if config.get("is_encoder_decoder"):
        raise CheckpointError(
            f"{folder} is a model of an encoder and a decoder ({architecture})",
            "use a decoder: a checkpoint for causal language modelling",
        )
    if (family in _ENCODERS and not config.get("is_decoder")) or "MaskedLM" in architecture:
        raise CheckpointError(
            f"{folder} is an encoder only ({architecture}): it gives no probabilities of a next token",
            "use a decoder: a checkpoint for causal language modelling",
        )
    if config.get("quantization_config"):
        raise CheckpointError(f"{folder} has weights that are quantised already", "use the checkpoint it was made from")
    if not architecture.endswith(("ForCausalLM", "LMHeadModel")):
        raise CheckpointError(
            f"{folder} is no decoder with a head for tokens ({architecture})",
            "use a checkpoint for causal language modelling",
        )
    if "auto_map" in config:
        raise CheckpointError(
            f"{folder} ({family}) runs by code of its own, which is not run here",
            "use a checkpoint of a family that transformers has itself",
        )


def _weights(folder: Path) -> tuple[str, ...]:
    if (folder / ONE_FILE).is_file():
        return (ONE_FILE,)
    if not (folder / SHARDS).is_file():
        raise CheckpointError(
            f"{folder} has neither {ONE_FILE} nor {SHARDS}",
            "get the weights in the safetensors format (save_pretrained(..., safe_serialization=True))",
        )
    found = _json(folder / SHARDS).get("weight_map")
    names = sorted({str(name) for name in found.values()}) if isinstance(found, dict) else []
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} has no file {name!r}, which its {SHARDS} names", "get the checkpoint again"
            )
    if not names:
        raise CheckpointError(f"{folder / SHARDS} names no files", "get the checkpoint again")
    return tuple(names)


def _from_hub(name: str, revision: str | None) -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub  # noqa: PLC0415 - slow, and the option above must be set first

    try:
        return Path(huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=list(_WANTED)))
    except Exception as error:
        offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
        raise SetupError(
            f"the hub did not give {name}: {str(error).strip().splitlines()[0] if str(error) else type(error).__name__}",
            "HF_HUB_OFFLINE is set: unset it, or name a folder"
            if offline
            else "check the name and the network, log in if it is a private one, or name a folder",
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _JSON_LIMIT:
            raise CheckpointError(f"{path} is larger than {_JSON_LIMIT} bytes", "get the file again")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise IoError.reading(path, error) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON: {error}", "get the file again") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is not a JSON object", "get the file again")
    return value


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise IoError.reading(path, error) from error
