"""`info` by the table that all three languages are held to; its form is said in harness/tests/cases/make_info.py."""

import io
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmzip import read_info
from llmzip.cli import main
from llmzip.container.layout import StoredFrame
from llmzip.errors import FormatError
from support.paths import PY_RUNNER

ROOT = PY_RUNNER.parent
CASES = ROOT / "harness" / "tests" / "cases"
TABLE = (CASES / "info.json").read_text(encoding="utf-8")
pytestmark = pytest.mark.usefixtures("same_signals")


def container(case: dict[str, Any]) -> bytes:
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    content = bytearray((ROOT / "golden" / case["file"]).read_bytes())[: case.get("cut")]
    if "flip" in case:
        content[case["flip"]] ^= 1
    return bytes(content) + bytes.fromhex(case.get("append", ""))


@pytest.mark.parametrize("case", json.loads(TABLE)["cases"], ids=lambda case: " ".join(map(str, case.values()))[:60])
def test_what_is_told_is_what_the_table_says(
    case: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*options: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(container(case)), isatty=lambda: False))
        code = main(["info", "-", *options])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    if "code" in case:
        for options in ([], ["--json"]):
            code, out, err = told(*options)
            assert (code, out) == (1, "")
            assert err.startswith(f"error[{case['code']}]: ")
        return
    code, out, err = told("--json")
    assert (code, json.loads(out), err) == (0, case["view"], "")
    assert list(json.loads(out)) == list(case["view"])
    code, out, err = told()
    assert (code, out.splitlines(), err) == (0, case["text"], "")


def test_the_table_is_what_its_script_makes() -> None:
    made = runpy.run_path(str(CASES / "make_info.py"), run_name="make_info")
    assert made["table"]() == TABLE


def test_a_file_is_read_as_stdin_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["info", str(ROOT / "golden" / "tiny" / "q4" / "crlf.llmzip")]) == 0
    assert capsys.readouterr().out.startswith("format: version 1\nmodel: tiny q4, SHA-256 ")
    assert main(["info", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("error[io]: ")


class _Frames(io.RawIOBase):
    """A container of so many frames, none of which is there before it is read."""

    def __init__(self, head: bytes, count: int) -> None:
        self._waiting, self._left = head, count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._waiting and self._left:
            self._left -= 1
            self._waiting = StoredFrame(bytes(4096)).to_bytes() if self._left else b"\x09"
        count = min(len(buffer), len(self._waiting))
        buffer[:count], self._waiting = self._waiting[:count], self._waiting[count:]
        return count


def test_a_long_container_is_read_to_the_fault_at_its_end() -> None:
    golden = (ROOT / "golden" / "tiny" / "exact" / "empty.llmzip").read_bytes()
    with pytest.raises(FormatError, match="no kind of frame 09"):
        read_info(io.BufferedReader(_Frames(golden[:-33], 2000)))
