"""What a line may hold, by the table that all three languages are held to. harness/tests/lines.rs says how it is read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.paths import CASES
from support.runner import RunnerProcess

TABLE = json.loads((CASES / "lines.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def runner() -> Iterator[RunnerProcess]:
    with RunnerProcess() as process:
        yield process


def bytes_of(line: Any) -> bytes:
    """The bytes of a line, without its end."""
    match line:
        case str():
            return line.encode()
        case list():
            return b"".join(map(bytes_of, line))
        case {"hex": text}:
            return bytes.fromhex(text)
        case {"repeat": text, "times": times}:
            return text.encode() * int(times)
    raise AssertionError(f"{line} is no part of a line")


@pytest.mark.parametrize("case", TABLE, ids=[case["what"] for case in TABLE])
def test_lines_are_answered_as_the_table_says(runner: RunnerProcess, case: dict[str, Any]) -> None:
    runner.send(bytes_of(case["line"]) + b"\n")
    reply = runner.reply()
    assert (reply["id"], reply.get("error", {}).get("code")) == (case["id"], case["code"]), reply


def test_the_last_line_needs_no_end() -> None:
    with RunnerProcess() as runner:
        runner.send(b'{"id": 3, "op": "hello", "params": {"protocol": 1}}')
        assert runner.close() == 0
        assert runner.reply()["id"] == 3
