"""The project's own sources as text. Owns which files count; reads only what git tracks."""

import subprocess
from functools import cache

from ..paths import REPOSITORY

_ENDINGS = (".rs", ".py", ".mjs", ".js", ".md", ".toml", ".json")
_LEFT_OUT = ("models/", "golden/")
_LOCKS = ("package-lock.json", "Cargo.lock")
_LARGEST = 200_000


@cache
def source_texts() -> tuple[str, ...]:
    """Text of each tracked source file, in the order of the paths; none outside a git checkout."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "-z"]
    listing = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a fixed command
    names = [name for name in listing.stdout.decode("utf-8").split("\0") if name]
    texts: list[str] = []
    for name in sorted(names):
        path = REPOSITORY / name
        wanted = name.endswith(_ENDINGS) and not name.startswith(_LEFT_OUT)
        if not wanted or path.name in _LOCKS or not path.is_file() or path.stat().st_size > _LARGEST:
            continue
        texts.append(path.read_text(encoding="utf-8", errors="strict"))
    return tuple(texts)
