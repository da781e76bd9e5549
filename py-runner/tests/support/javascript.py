"""JavaScript's builds of ONNX Runtime, driven from here. Owns the process and its lines; js-runner's `graph-logits.mjs` does the rest."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from support.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

FOLDER = REPOSITORY / "js-runner"
BUILDS = ("node", "plain", "asyncify")


def told(script: str, *words: str) -> Any:
    """What a script of js-runner's tests prints, as JSON. Skips the test where there is no Node, or no packages for it."""
    node = _node()
    done = subprocess.run(
        [node, FOLDER / "tests" / "support" / script, *words],
        capture_output=True,
        encoding="utf-8",
        cwd=FOLDER,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def answers(build: str, requests: Sequence[dict[str, Any]]) -> list[str | None]:
    """The error of each request, None where there was none. Skips the test where there is no Node, or no packages for it."""
    node = _node()
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    script = FOLDER / "tests" / "support" / "graph-logits.mjs"
    # The optimising compiler takes a minute for the larger builds, and nothing here runs long enough to need it.
    done = subprocess.run(
        [node, "--liftoff-only", script, build],
        input=lines,
        capture_output=True,
        encoding="utf-8",
        cwd=FOLDER,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line).get("error") for line in done.stdout.splitlines()]


def _node() -> str:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("it needs Node, and npm ci in js-runner")
    return node


def logits(
    build: str, graph: Path, ids: npt.NDArray[np.int64], passes: Sequence[int], data: Sequence[Path] = ()
) -> npt.NDArray[np.float32]:
    """Logits [batch, n, vocab] of `ids` [batch, n], fed in passes of these lengths."""
    rows = graph.with_suffix(f".{build}.f32")
    request = {"graph": str(graph), "data": [str(path) for path in data], "ids": ids.tolist(), "passes": list(passes)}
    (error,) = answers(build, [{**request, "rows": str(rows)}])
    assert error is None, error
    flat = np.fromfile(rows, "<f4")
    batch, count = ids.shape
    parts = np.split(flat, np.cumsum([flat.size * length // count for length in passes])[:-1])
    shaped = [part.reshape(batch, length, -1) for part, length in zip(parts, passes, strict=True)]
    return np.concatenate(shaped, axis=1)
