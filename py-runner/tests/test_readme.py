"""What README.md shows of the library runs as it stands there."""

import re

import pytest

from support.paths import PY_RUNNER

EXAMPLES = re.findall(
    r"^```python\n(.*?)^```$", (PY_RUNNER / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2
    assert any("compress(" in example for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PY_RUNNER)
    exec(compile(example, "README.md", "exec"), {})
