"""Entries of a `manifest.toml`, as text. Owns their form and their place in the file; reads no model.

Entries of other models keep every byte, comments too: a manifest is a file that people edit.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from llmzip.errors import IntegrityError
from llmzip.model.manifest import UNKNOWN
from llmzip.model.manifest import VERSION as MANIFEST_VERSION

from .flavours import Flavour

HEAD = f"""\
# The models beside this file, and every file of theirs.
#
# Paths are relative to `folder`, which is relative to this file. `eps` is a default of the container
# (the largest difference of a log-prob that it withstands) and a string, so that no reader rounds it.
# A file whose `sha256` is "unknown" is known by name only.

version = {MANIFEST_VERSION}
"""
_BEGIN = "[[model]]"


@dataclass(frozen=True)
class Origin:
    """What a model is made from, in words, and the context policy that it is meant for (window and overlap in tokens)."""

    source: str
    licence: str
    window: int
    overlap: int
    start_token: int
    revision: str | None = None


@dataclass(frozen=True)
class FileEntry:
    """One file: its path in the folder, its size and hash, None where nobody knows them.

    For a graph also the file that its weights come from, and its hash.
    """

    path: str
    size: int | None
    sha256: str | None
    source: str | None = None
    source_sha256: str | None = None


def entry(
    name: str,
    origin: Origin,
    flavours: Iterable[Flavour],
    files: Iterable[FileEntry],
    data: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The lines of one model, whose folder has its name. `activation` says which class of agreement to expect.

    `data` names the files of weights, in the folder `onnx`, of each flavour that has any.
    """
    model = {"name": name, "folder": name, "source": origin.source, "revision": origin.revision}
    model |= {"licence": origin.licence, "tokenizer": "tokenizer.json"}
    policy = {"window": origin.window, "overlap": origin.overlap, "start_token": origin.start_token}
    tables = [_table("model", {**model, **policy})]
    variants = [variant_lines(flavour, (data or {}).get(flavour.name, ())) for flavour in flavours]
    return "\n".join([*tables, *variants, *map(file_lines, files)])


def variant_lines(flavour: Flavour, data: Sequence[str] = ()) -> str:
    """The lines of one graph; `data` are its files of weights, in the folder `onnx`."""
    values = {"dtype": flavour.name, "file": f"onnx/{flavour.file_name}"}
    beside = [f"onnx/{name}" for name in data] or None
    return _table("model.variant", {**values, "data": beside, "activation": flavour.agreement, "eps": flavour.eps})


def file_lines(file: FileEntry) -> str:
    """The lines of one file."""
    made_of = {"source": file.source, "source_sha256": file.source_sha256}
    return _table("model.file", {"path": file.path, "bytes": file.size, "sha256": file.sha256 or UNKNOWN, **made_of})


def with_entry(manifest: str, name: str, lines: str) -> str:
    """The manifest with these lines for the model `name`, in the place of those that it had, else at the end.

    Raises IntegrityError for a manifest that cannot be read, or in which the entry cannot be told from its neighbours.
    """
    head, entries = split(manifest)
    texts = {each: text for each, text in entries.items() if each != name}
    place = list(entries).index(name) if name in entries else len(texts)
    order = list(texts.items())
    order.insert(place, (name, lines))
    changed = head + "\n" + "\n".join(text.rstrip("\n") + "\n" for _, text in order)
    before, after = _models(manifest), _models(changed)
    before.pop(name, None)
    if {each: model for each, model in after.items() if each != name} != before or name not in after:
        raise IntegrityError(
            f"the manifest's entries cannot be told apart, so that of {name} is not written",
            "begin each entry with a line that is [[model]] and nothing else",
        )
    return changed


def split(manifest: str) -> tuple[str, dict[str, str]]:
    """A manifest's head and the text of each entry, by the model's name. Raises IntegrityError."""
    parts: list[list[str]] = [[]]
    for line in manifest.splitlines():
        if line.strip() == _BEGIN:
            parts.append([])
        parts[-1].append(line)
    texts = ["\n".join(part).strip("\n") + "\n" for part in parts]
    return texts[0], {next(iter(_models(text, version=False))): text for text in texts[1:]}


def is_name(name: str) -> bool:
    """Whether a folder of this name can be told in a manifest: one plain part of a path."""
    return PurePosixPath(name).parts == (name,) and name not in (".", "..") and "\\" not in name


def _models(text: str, *, version: bool = True) -> dict[str, Any]:
    try:
        read = tomllib.loads(text)
        if version and read["version"] != MANIFEST_VERSION:
            raise ValueError(f"its version is {read['version']}")
        return {str(model["name"]): model for model in read.get("model", [])}
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"the manifest cannot be read: {error!r}", "correct it, or restore it") from error


def _table(name: str, values: Mapping[str, str | int | list[str] | None]) -> str:
    # What JSON writes of a string, a whole number or a list of strings is TOML too.
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[[{name}]]", *lines]) + "\n"
