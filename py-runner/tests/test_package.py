import ast
import json
import re
import subprocess
import sys
import tomllib

import pytest

import llmzip
from llmzip import errors
from support.paths import PY_RUNNER, REPOSITORY, SCHEMAS

LOCKS = ["requirements.lock", "requirements-dev.lock"]


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    assert sorted(llmzip.__all__) == sorted(set(llmzip.__all__))
    for name in llmzip.__all__:
        assert getattr(llmzip, name).__doc__, name
    assert dir(llmzip) == llmzip.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        llmzip.nothing  # noqa: B018


def test_importing_the_package_loads_no_library() -> None:
    """So that a runner can claim stdout first."""
    libraries = "('numpy', 'onnxruntime', 'transformers')"
    script = f"import sys, llmzip, llmzip.cli, llmzip.runner; print([m for m in {libraries} if m in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=PY_RUNNER / "src"
    )
    assert shown.stdout == "[]\n"


def test_every_module_says_what_it_owns() -> None:
    for path in sorted((PY_RUNNER / "src" / "llmzip").rglob("*.py")):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_error_codes_and_exit_codes_are_the_protocol_s() -> None:
    table = (PY_RUNNER.parent / "PROTOCOL.md").read_text(encoding="utf-8").partition("## Error codes")[2]
    documented = {
        code: int(number) for code, number in re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", table, re.MULTILINE)
    }
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LlmzipError)]
    for kind in kinds:
        assert documented[kind.code] == kind.exit_code
    schema = json.loads(SCHEMAS.read_text(encoding="utf-8"))["$defs"]["error"]["properties"]["code"]["enum"]
    assert {kind.code for kind in kinds} <= set(schema)


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_hashed_have_no_address_and_agree_with_the_project(name: str) -> None:
    lock = (PY_RUNNER / name).read_text(encoding="utf-8")
    assert "://" not in lock
    entries = re.split(r"\n(?=[a-z])", lock.partition("\n")[2].strip())
    pins = {}
    for entry in entries:
        found = re.match(r"([a-z0-9-]+)==([^ ;\\]+)", entry)
        assert found, entry
        assert "--hash=sha256:" in entry, entry
        pins[found[1]] = found[2]
    project = tomllib.loads((PY_RUNNER / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = list(project["project"]["dependencies"])
    if "dev" in name:
        wanted += project["dependency-groups"]["dev"]
    for requirement in wanted:
        package, version = requirement.split("==")
        assert pins[package] == version
    assert ("pytest" in pins) == ("dev" in name)
    assert "torch" not in pins


def test_every_package_that_is_asked_for_is_imported() -> None:
    project = tomllib.loads((PY_RUNNER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    imported = set()
    for folder in (PY_RUNNER / "src", REPOSITORY / "models" / "make" / "tiny_model"):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {name.name.partition(".")[0] for name in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                    imported.add(node.module.partition(".")[0])
    assert {requirement.partition("==")[0] for requirement in asked} <= imported


def test_the_version_is_the_project_s() -> None:
    project = tomllib.loads((PY_RUNNER / "pyproject.toml").read_text(encoding="utf-8"))
    assert llmzip.__version__ == project["project"]["version"]
