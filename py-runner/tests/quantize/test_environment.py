"""Environments of exporters appear whole or not at all; children's failures are told in words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from llmzip.errors import IoError, SetupError
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.export.environment import is_ready, prepare, python_of
from llmzip.quantize.export.process import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for uv is a shell script")


class Uv:
    """A stand-in for uv: `venv` makes a folder with a Python, `pip` does what it is told to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file, self.calls = folder / "uv", folder / "calls"
        monkeypatch.setenv("UV", str(self.file))
        self.installs("exit 0")

    def installs(self, script: str) -> None:
        self.file.write_text(
            f'#!/bin/sh\necho "$*" >> {self.calls}\n'
            'if [ "$1" = venv ]; then for last; do :; done; mkdir -p "$last/bin"; touch "$last/bin/python"; exit 0; fi\n'
            f"{script}\n"
        )
        self.file.chmod(0o755)


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uv:
    folder = tmp_path / "exporters" / "one"
    folder.mkdir(parents=True)
    (folder / "requirements.lock").write_text("a==1 --hash=sha256:0\n")
    return Uv(tmp_path, monkeypatch)


def talk(_text: str) -> None:
    pass


def test_an_environment_is_made_once_and_anew_for_another_lock(tmp_path: Path, uv: Uv) -> None:
    root = tmp_path / "exporters"
    assert not is_ready("one", root)
    assert prepare("one", talk, root) == python_of("one", root)
    assert is_ready("one", root)
    calls = uv.calls.read_text()
    assert "--require-hashes --no-deps" in calls
    prepare("one", talk, root)
    assert uv.calls.read_text() == calls
    (root / "one" / "requirements.lock").write_text("a==2 --hash=sha256:0\n")
    assert not is_ready("one", root)
    prepare("one", talk, root)
    assert len(uv.calls.read_text().splitlines()) == 2 * len(calls.splitlines())
    assert sorted(each.name for each in (root / "one").iterdir()) == [".venv", "requirements.lock"]


def test_an_installation_that_fails_leaves_nothing_and_says_why(tmp_path: Path, uv: Uv) -> None:
    root = tmp_path / "exporters"
    uv.installs("echo 'no route to the registry' >&2; exit 1")
    told: list[str] = []
    with pytest.raises(SetupError, match="no route to the registry"):
        prepare("one", told.append, root)
    assert any("PyTorch is large" in line for line in told)
    assert [each.name for each in (root / "one").iterdir()] == ["requirements.lock"]


def test_a_failed_renewal_keeps_what_was_there(tmp_path: Path, uv: Uv) -> None:
    root = tmp_path / "exporters"
    prepare("one", talk, root)
    (root / "one" / "requirements.lock").write_text("a==2 --hash=sha256:0\n")
    uv.installs("exit 1")
    with pytest.raises(SetupError, match="it said nothing"):
        prepare("one", talk, root)
    assert python_of("one", root).exists()
    assert sorted(each.name for each in (root / "one").iterdir()) == [".venv", "requirements.lock"]


def test_outside_of_a_clone_there_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="there is no lock"):
        prepare("one", talk, tmp_path)


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (
            "echo first; echo 'ValueError: what it is' >&2; exit 3",
            QuantizeError,
            "the step failed: ValueError: what it is",
        ),
        ("exit 3", QuantizeError, "the step failed: it said nothing"),
        ("kill -9 $$", QuantizeError, "signal 9, as happens when memory runs out"),
        ("echo 'OSError: [Errno 28] No space left on device' >&2; exit 1", IoError, "No space left on device"),
        ('test -z "$PYTHONPATH" && test "$HF_HUB_OFFLINE" = 1 && echo clean; exit 1', QuantizeError, "clean"),
    ],
)
def test_a_child_that_fails_is_told_by_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, kind: type[Exception], words: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    with pytest.raises(kind, match=words):
        run(["/bin/sh", "-c", script], "the step", tmp_path / "log", QuantizeError, talk)


def test_a_child_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    with pytest.raises(IoError, match="cannot start"):
        run([tmp_path / "nothing"], "the step", tmp_path / "log", QuantizeError, talk)
