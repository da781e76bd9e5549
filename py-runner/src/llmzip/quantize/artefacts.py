"""The folder of a model as transformers.js lays it out. Owns its files and that it appears whole, or not at all.

    NAME/config.json, generation_config.json, tokenizer.json, tokenizer_config.json, ...
    NAME/onnx/model_q4f16.onnx, and model_q4f16.onnx_data, model_q4f16.onnx_data_1, ... when its weights are split

Beside it lies `manifest.toml`, with the SHA-256 of each file. What the graphs compute is not looked at here.
"""

import contextlib
import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import onnx

from llmzip.errors import IoError, UsageError
from llmzip.files import output_file
from llmzip.model.provenance import MANIFEST

from .errors import CheckpointError
from .external import data_file_names, split_weights
from .flavours import EXACT, FLAVOURS, Flavour, serialised
from .manifest import HEAD, FileEntry, Origin, entry, is_name, with_entry

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
COPIED = (
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
)
"""What is taken from the checkpoint as it is; all but the first may be missing."""


@dataclass(frozen=True)
class Weights:
    """The file that a model's weights come from: its name, and its SHA-256 in hex."""

    file: str
    sha256: str


@dataclass
class StagedModel:
    """A model folder in the making. `folder` has the final layout, but not yet the final name; what lies in it is part of the model."""

    folder: Path
    config: dict[str, Any]
    flavours: list[Flavour] = field(default_factory=list)
    _chunks: dict[str, int] = field(default_factory=dict)

    def add_graph(self, name: str, model: onnx.ModelProto, split_mib: int | None = None) -> Path:
        """Write the graph of the flavour `name` and note in config.json what transformers.js must know of it; give its path.

        With `split_mib` its weights lie in files of at most so many MiB. Raises IoError, QuantizeError.
        """
        flavour = FLAVOURS[name]
        if split_mib is None:
            return self._write_graph(flavour, serialised(model), 0)
        with _writing(self.folder):
            pointing, count = split_weights(model, flavour.file_name, split_mib, self._create)
        return self._write_graph(flavour, serialised(pointing), count)

    def add_exact(self, content: bytes) -> Path:
        """Write the exact graph, which is one file always (EXACT.md, `external-data`); give its path. Raises IoError."""
        return self._write_graph(EXACT, content, 0)

    def add_file(self, name: str, content: bytes) -> Path:
        """Write another file of the folder; give its path. Raises IoError."""
        path = self.folder / name
        with _writing(path):
            path.write_bytes(content)
        return path

    def data_files(self) -> dict[str, list[str]]:
        """The names of the files of weights of each flavour that has any."""
        made = {flavour.name: self._chunks.get(flavour.file_name, 0) for flavour in self.flavours}
        return {name: data_file_names(f"model_{name}.onnx", count) for name, count in made.items() if count}

    def _create(self, name: str) -> BinaryIO:
        return (self.folder / "onnx" / name).open("xb")

    def _write_graph(self, flavour: Flavour, content: bytes, chunks: int) -> Path:
        path = self.add_file(f"onnx/{flavour.file_name}", content)
        self.flavours.append(flavour)
        if chunks:
            self._chunks[flavour.file_name] = chunks
        self.add_file(CONFIG, _json(_for_transformers_js(self.config, self.flavours, self._chunks)))
        return path


@contextlib.contextmanager
def model_folder(
    out: Path, config: dict[str, Any], tokenizer: Path, origin: Origin, weights: Weights, *, overwrite: bool
) -> Iterator[StagedModel]:
    """A folder to fill, with the tokenizer's files already in it, which are copied from the folder `tokenizer`.

    When the block ends without an error, the folder gets the name `out` and the manifest beside it the model's entry; else neither changes,
    and nothing is left behind. Raises UsageError when `out` is there and `overwrite` is not set, CheckpointError without a tokenizer.json,
    IntegrityError for a broken manifest, and IoError.
    """
    if not is_name(out.name):
        raise UsageError(f"{out} does not end in a name", "name the model's folder, such as models/NAME")
    refuse_existing(out, overwrite=overwrite)
    manifest = out.parent / MANIFEST
    staging = out.with_name(f".llmzip-{secrets.token_hex(6)}.tmp")
    try:
        with _writing(out):
            (staging / "onnx").mkdir(parents=True)
        staged = StagedModel(staging, config)
        staged.add_file(CONFIG, _json(config))
        _copy_tokenizer(tokenizer, staging)
        yield staged
        lines = entry(out.name, origin, _in_order(staged.flavours), _files(staging, weights), staged.data_files())
        text = with_entry(_manifest_text(manifest), out.name, lines)
        refuse_existing(out, overwrite=overwrite)
        with _replacing(staging, out), output_file(manifest, overwrite=True) as file:
            file.write(text.encode("utf-8"))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def refuse_existing(out: Path, *, overwrite: bool) -> None:
    """Raise UsageError when there is something at `out` that must not be replaced, or is no folder."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is there and no folder", "give another name")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} is already there", "give -f to replace it, or another name")


@contextlib.contextmanager
def _replacing(staging: Path, out: Path) -> Iterator[None]:
    """Give `staging` the name `out`; what had it before comes back when the block fails."""
    old = staging.with_name(f".llmzip-{secrets.token_hex(6)}.old.tmp")
    there = out.exists()
    with _writing(out):
        if there:
            out.rename(old)
        try:
            staging.rename(out)
            yield
        except BaseException:
            if out.exists() and not staging.exists():
                out.rename(staging)
            if there:
                old.rename(out)
            raise
    shutil.rmtree(old, ignore_errors=True)


def _copy_tokenizer(source: Path, target: Path) -> None:
    if not (source / TOKENIZER).is_file():
        raise CheckpointError(
            f"{source} has no {TOKENIZER}",
            "save the tokenizer in the fast format first (AutoTokenizer.from_pretrained(...).save_pretrained(...))",
        )
    for name in COPIED:
        if (source / name).is_file():
            with _writing(target / name):
                shutil.copyfile(source / name, target / name)


def _for_transformers_js(config: dict[str, Any], flavours: list[Flavour], chunks: dict[str, int]) -> dict[str, Any]:
    """The config with what transformers.js cannot tell from the graphs: the cache's type, and how many files have weights."""
    known = config.get("transformers.js_config")
    own: dict[str, Any] = dict(known) if isinstance(known, dict) else {}
    caches = {flavour.name: "float16" for flavour in flavours if flavour.agreement == "float16"}
    for key, values in (("kv_cache_dtype", caches), ("use_external_data_format", chunks)):
        before = own.pop(key, None)
        merged = {**(before if isinstance(before, dict) else {}), **values}
        if merged:
            own[key] = merged
    return {**config, "transformers.js_config": own}


def _in_order(flavours: list[Flavour]) -> list[Flavour]:
    order = [EXACT, *FLAVOURS.values()]
    return [flavour for flavour in order if flavour in flavours]


def _files(folder: Path, weights: Weights) -> list[FileEntry]:
    """Every file of the folder with its hash: what the tokenizer and the runtimes read first, graphs after it."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    entries = []
    for path in sorted(found, key=lambda each: each.parent != folder):
        name = path.relative_to(folder).as_posix()
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = path.stat().st_size
        except OSError as error:
            raise IoError.reading(path, error) from error
        made = name.startswith("onnx/")
        entries.append(FileEntry(name, size, digest, weights.file if made else None, weights.sha256 if made else None))
    return entries


def _manifest_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else HEAD
    except (OSError, UnicodeDecodeError) as error:
        raise IoError(f"cannot read {path}: {error}", "restore it, or name another folder for the model") from error


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode("utf-8")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise IoError.writing(path, error) from error
