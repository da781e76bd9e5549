"""Shorthands for writing files and for talking to the user. Owns no content."""

import json
import sys
from pathlib import Path

from llmzip.files import output_file


def write_whole(path: Path, raw: bytes) -> None:
    """Write `raw` to `path`, making its folder if need be and replacing what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with output_file(path, overwrite=True) as file:
        file.write(raw)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON."""
    write_whole(path, (json.dumps(value, indent=2) + "\n").encode("utf-8"))


def say(text: str) -> None:
    """Tell the user: stdout is for data, so this goes to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
