"""Files that appear whole or not at all. Owns writing, and the one way to say something to the user."""

import json
import sys
from pathlib import Path


def write_whole(path: Path, raw: bytes) -> None:
    """Write `raw` beside `path`, then give it that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(path.name + ".tmp")
    waiting.write_bytes(raw)
    waiting.replace(path)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON."""
    write_whole(path, (json.dumps(value, indent=2) + "\n").encode("utf-8"))


def say(text: str) -> None:
    """Tell the user: stdout is for data, so this goes to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
