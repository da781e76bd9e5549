"""`exact check` on the command line: what is printed, and the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llmzip.cli import main
from llmzip.exact import Rule, check

from . import graphs, number_edits
from .breaks import BREAKS

if TYPE_CHECKING:
    from pathlib import Path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["exact", "check", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.fixture
def model(tmp_path: Path, exact: bytes) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(exact)
    return path


@pytest.fixture
def broken(tmp_path: Path, exact: bytes) -> tuple[Path, str]:
    edited = graphs.Edited(exact)
    name = BREAKS["exp"].edit(edited)
    path = tmp_path / "broken.onnx"
    path.write_bytes(edited.content)
    return path, name


def test_an_exact_graph(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    report = check(model.read_bytes())
    assert run(capsys, model) == (0, report.summary + "\n", "")
    assert report.summary == (
        f"exact: {report.nodes} nodes, positions: 48 (from cos_table); "
        f"{len(report.unbounded)} float results are taken to stay finite"
    )


def test_a_graph_that_is_not(capsys: pytest.CaptureFixture[str], broken: tuple[Path, str]) -> None:
    path, name = broken
    code, out, err = run(capsys, path)
    assert code == 1
    assert out.splitlines() == [
        f"inexact-op node {name} (Exp): it is not one of the ops of exact graphs",
        f"not exact: 1 of {len(graphs.Edited(path.read_bytes()).graph.node)} nodes, "
        "positions: 48 (from cos_table); rules: inexact-op",
    ]
    assert err.splitlines()[0] == f"error[model]: {path} is not exact: 1 violation"
    assert err.splitlines()[1].startswith("hint: ")


def test_json(capsys: pytest.CaptureFixture[str], model: Path, broken: tuple[Path, str]) -> None:
    path, name = broken
    code, out, _ = run(capsys, path, "--json")
    told = json.loads(out)
    assert code == 1
    assert list(told) == ["exact", "nodes", "positions", "violations", "unbounded"]
    assert told["exact"] is False
    assert told["positions"] == {"value": 48, "source": "from cos_table", "graph": 48}
    assert told["violations"] == [
        {
            "rule": "inexact-op",
            "number": 1,
            "node": name,
            "op": "Exp",
            "why": "it is not one of the ops of exact graphs",
        }
    ]
    code, out, _ = run(capsys, model, "--json")
    assert code == 0
    assert json.loads(out)["exact"] is True
    assert json.loads(out)["violations"] == []


def test_a_part_of_the_positions_is_not_plainly_exact(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    code, out, err = run(capsys, model, "--positions", 20)
    assert code == 1
    assert out.startswith("exact for 20 of 48 positions only: ")
    assert "positions: 20 (given)" in out
    assert err.startswith(f"error[model]: {model} is proved exact for 20 of 48 positions only\nhint: ")
    code, out, _ = run(capsys, model, "--positions", 20, "--json")
    told = json.loads(out)
    assert (code, told["exact"], told["violations"]) == (1, False, [])
    assert told["positions"] == {"value": 20, "source": "given", "graph": 48}


def test_all_of_the_positions_are_the_graph(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    assert run(capsys, model, "--positions", 48) == run(capsys, model)


def test_more_positions_than_the_graph_has(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    code, out, err = run(capsys, model, "--positions", 49)
    assert (code, out) == (2, "")
    assert err.startswith("error[usage]: the graph has 48 positions (from cos_table), not 49\nhint: ")


def test_positions_of_a_graph_that_does_not_bound_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, exact: bytes
) -> None:
    edited = graphs.Edited(exact)
    number_edits.no_positions(edited)
    path = tmp_path / "unbounded.onnx"
    path.write_bytes(edited.content)
    code, out, err = run(capsys, path, "--positions", 20)
    assert code == 1
    assert out.splitlines()[-1].startswith("exact for the first 20 positions only: ")
    assert "is proved exact for the first 20 positions only" in err


def test_violations_of_the_whole_graph_are_told_apart(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, exact: bytes
) -> None:
    edited = graphs.Edited(exact)
    edited.model.opset_import[0].version = 12
    path = tmp_path / "old.onnx"
    path.write_bytes(edited.content)
    code, out, err = run(capsys, path)
    nodes = len(edited.graph.node)
    assert code == 1
    assert out.splitlines()[-1].startswith(
        f"not exact: 1 violation of the whole graph, 0 of {nodes} nodes, positions: "
    )
    assert "is not exact: 1 violation\n" in err


def test_files_that_cannot_be_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, tmp_path / "absent.onnx")
    assert (code, out) == (1, "")
    assert err.startswith("error[io]: cannot read ")
    for content in (b"this is no model", b""):
        (tmp_path / "none.onnx").write_bytes(content)
        code, out, err = run(capsys, tmp_path / "none.onnx")
        assert (code, out) == (1, "")
        assert err.startswith("error[model]: the file is not an ONNX model: ")


def test_numbers_and_codes_are_stable() -> None:
    assert [(rule.number, rule.value) for rule in Rule] == [
        (1, "inexact-op"),
        (2, "inexact-type"),
        (3, "subgraph"),
        (4, "external-data"),
        (5, "float-sum"),
        (6, "integer-overflow"),
        (7, "unsafe-division"),
        (8, "division-by-zero"),
        (9, "unsafe-scale"),
        (10, "saturating-product"),
        (11, "unsafe-product"),
        (12, "narrowing-cast"),
        (13, "not-finite"),
        (14, "fused-pattern"),
        (15, "unknown-form"),
        (16, "cache-length"),
        (17, "declared-shape"),
    ]
