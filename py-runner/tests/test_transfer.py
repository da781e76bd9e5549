"""`compress` and `decompress` as a user of other compressors knows them: names, what is kept and what goes, verification, lanes."""

import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from llmzip import talk
from llmzip.cli import main
from llmzip.compressor import HashedInput, PlainDigest, auto_lanes, compress, verify
from llmzip.compressor.lanes import lanes_of
from llmzip.errors import DivergenceError, FormatError, InternalError, UsageError
from llmzip.places import output_name
from llmzip.talk import FileProgress, be_quiet, progress_line
from support.paths import PY_RUNNER
from support.synthetic import settings, synthetic_model

CASES = PY_RUNNER.parent / "harness" / "tests" / "cases"
PLAIN = b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n\xff\xfe the end"
TEXT = b"abcdefghij the hen then inherits the end\n" * 4
pytestmark = pytest.mark.usefixtures("same_signals")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="devices and terminals are POSIX's")


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((CASES / name).read_text(encoding="utf-8"))["cases"]
    assert len(found) > 8
    return found


def run(*arguments: object) -> int:
    return main([str(each) for each in arguments])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain"
    path.write_bytes(PLAIN)
    return path


def test_names_follow_as_the_table_says() -> None:
    for case in cases("outputs.json"):
        if case["output"] is None:
            with pytest.raises(UsageError):
                output_name(case["command"], case["input"])
        else:
            assert output_name(case["command"], case["input"]) == case["output"]


def test_lanes_follow_as_the_table_says() -> None:
    for case in cases("lanes.json"):
        assert auto_lanes(case["tokens"]) == case["lanes"]
        assert (lanes_of("auto", case["tokens"]), lanes_of(3, case["tokens"])) == (case["lanes"], 3)


def test_progress_is_told_as_the_table_says() -> None:
    for case in cases("progress.json"):
        line = case.pop("line")
        assert progress_line(**case) == line


def test_the_input_stays_and_names_follow(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    container = plain.with_name("plain.llmzip")
    assert run("compress", plain) == 0
    assert names(plain.parent) == ["plain", "plain.llmzip"]
    assert run("compress", plain, "-k") == run("decompress", container) == 2
    plain.write_bytes(b"another")
    capsys.readouterr()
    assert run("-q", "decompress", container, "-f") == 0
    assert capsys.readouterr().err == ""
    assert plain.read_bytes() == PLAIN
    assert names(plain.parent) == ["plain", "plain.llmzip"]


def test_what_is_asked_for_goes_when_the_output_is_complete(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    container, bad = plain.with_name("plain.llmzip"), plain.with_name("bad.llmzip")
    assert run("compress", plain, "--rm", "--verify") == 0
    assert capsys.readouterr().err.endswith(" tokens coded, verified\n")
    assert names(plain.parent) == ["plain.llmzip"]
    # A failure keeps it.
    bad.write_bytes(container.read_bytes()[:-1])
    assert run("decompress", bad, "--rm") == 1
    assert names(plain.parent) == ["bad.llmzip", "plain.llmzip"]
    # The last word counts.
    assert run("decompress", container, "--rm", "--keep") == 0
    assert names(plain.parent) == ["bad.llmzip", "plain", "plain.llmzip"]
    assert run("decompress", container, "-f", "--keep", "--rm") == 0
    assert names(plain.parent) == ["bad.llmzip", "plain"]
    assert plain.read_bytes() == PLAIN


@posix_only
def test_nothing_goes_without_a_file_in_its_place(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compress", plain, "-o", "/dev/null", "--rm") == 0
    assert capsys.readouterr().err.startswith("note: --rm removes nothing")
    assert run("compress", plain, "-o", "/dev/null", "--verify") == 2
    assert "--verify reads the output back" in capsys.readouterr().err
    link = plain.with_name("link")
    link.symlink_to(plain)
    assert run("compress", link, "-o", plain, "-f", "--rm") == 2
    assert "is the input and the output" in capsys.readouterr().err
    assert names(plain.parent) == ["link", "plain"]


def test_a_failed_verification_leaves_nothing(
    plain: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(_self: HashedInput) -> PlainDigest:
        return PlainDigest(len(PLAIN), "00" * 32)

    monkeypatch.setattr(HashedInput, "finish", other)
    assert run("compress", plain, "--verify", "--rm") == 70
    assert "error[internal]: what was written decodes to" in capsys.readouterr().err
    assert names(plain.parent) == ["plain"]


def test_verification() -> None:
    hashed = HashedInput(io.BytesIO(TEXT))
    container = io.BytesIO()
    compress(cast("BinaryIO", hashed), container, synthetic_model(), settings())
    digest = hashed.finish()
    assert digest == (len(TEXT), hashlib.sha256(TEXT).hexdigest())
    content = container.getvalue()
    told: list[int] = []
    verify(io.BytesIO(content), digest, synthetic_model(), lambda done, _total: told.append(done))
    assert told
    words = "^what was written does not decode, and was not kept: "
    other = synthetic_model()
    step = other.source.feed
    other.source.feed = lambda ids: step(ids ^ 1)  # type: ignore[method-assign]
    with pytest.raises(DivergenceError, match=words):
        verify(io.BytesIO(content), digest, other)
    with pytest.raises(FormatError, match=words):
        verify(io.BytesIO(content[:-1]), digest, synthetic_model())
    for wrong in (digest._replace(bytes=1), digest._replace(sha256="00" * 32)):
        with pytest.raises(InternalError, match="went in"):
            verify(io.BytesIO(content), wrong, synthetic_model())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_unless_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(talk, "TICK", 0)

    def drawn(*, quiet: bool) -> str:
        terminal = _Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        be_quiet(quiet)
        try:
            progress = FileProgress("compress", lambda: 2048, 4096)
            progress.show(5, 10)
            progress.show_verifying(10, 10)
            progress.clear()
        finally:
            be_quiet(False)
        return terminal.getvalue()

    shown = drawn(quiet=False)
    assert shown.startswith("\rcompress 1.0 KiB of 4.0 KiB, ")
    assert "\rverify 2.0 KiB of 4.0 KiB, " in shown
    assert shown.endswith("\r\033[K")
    assert drawn(quiet=True) == ""
    monkeypatch.setenv("TERM", "dumb")
    assert drawn(quiet=False) == ""


@posix_only
def test_containers_and_terminals(
    plain: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main_end, end = os.openpty()
    try:
        with open(end, "r+b", buffering=0, closefd=False) as raw, io.TextIOWrapper(raw, write_through=True) as terminal:
            monkeypatch.setattr(sys, "stdout", terminal)
            assert run("compress", plain, "-o", "-") == 2
            monkeypatch.undo()
            assert "a container is not written to a terminal" in capsys.readouterr().err
            monkeypatch.setattr(sys, "stdin", terminal)
            for command in (["decompress", "-"], ["info", "-"]):
                assert run(*command) == 2
                assert "a container is not read from a terminal" in capsys.readouterr().err
            monkeypatch.undo()
    finally:
        os.close(main_end)
        os.close(end)
