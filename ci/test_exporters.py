"""What is said where the exporters cannot be had: a reason, always."""

from __future__ import annotations

import sys

import exporters
import models
import pytest


def ending(code: int, said: str) -> tuple[str, ...]:
    """A command that says something on stderr and ends with this code."""
    return (sys.executable, "-c", f"import sys; print({said!r}, file=sys.stderr); sys.exit({code})")


def test_what_is_there_needs_no_reason() -> None:
    assert exporters.prepare(ending(0, "set-up: nothing to do")) is None


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (3, "making\nerror[setup]: no network\nhint: try later", "error[setup]: no network"),
        (1, "killed", "ended with 1 and no error"),
    ],
)
def test_the_reason_is_the_error(code: int, said: str, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    found = exporters.prepare(ending(code, said))
    assert found is not None
    assert reason in found
    assert said in capfd.readouterr().err, "what was said is shown too"


def test_a_command_that_is_not_there_is_a_reason() -> None:
    found = exporters.prepare(("no-such-program-at-all",))
    assert found is not None
    assert "cannot be started" in found


def test_families_are_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "prepare", lambda: "error[setup]: no network")
    assert models.main([]) == exporters.NOT_THERE
    said = capsys.readouterr().err
    assert "LEFT OUT: llama, qwen3, mistral, gemma, phi, gpt2: " in said
    assert said.endswith("error[setup]: no network\n")


def test_a_family_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        models.main(["llama", "mamba2"])
    assert ended.value.code == 2
    assert "mamba2" in capsys.readouterr().err
