"""The stand-in of the measurements is made anew when what makes it has changed."""

import runpy
import shutil
from pathlib import Path

import llmzip
from support.paths import PY_RUNNER


def test_the_key_follows_the_sources_that_make_the_stand_in(tmp_path: Path) -> None:
    key = runpy.run_path(str(PY_RUNNER / "bench" / "stand_in.py"))["key"]
    package = tmp_path / "llmzip"
    shutil.copytree(llmzip.__path__[0], package)
    before = key(package)
    assert before == key(Path(llmzip.__path__[0]))
    (package / "cli.py").write_text("", encoding="utf-8")
    assert key(package) == before
    for source in ("quantize/exact/operations.py", "quantize/export/own/__init__.py", "exact/check.py"):
        path = package / source
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        assert key(package) != before, source
        before = key(package)
    (package / "quantize" / "new.py").touch()
    assert key(package) != before
