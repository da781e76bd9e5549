"""The execution providers: the table that the languages share, and what is said of those that are not here."""

from __future__ import annotations

import json

import onnxruntime
import pytest

from llmzip.errors import UnsupportedError
from llmzip.model import provider
from llmzip.model.model_files import ModelFiles
from llmzip.model.provider import CPU, PROVIDERS, RECORD_ASSIGNMENT, assigned_nodes, check_provider, check_took_part
from llmzip.model.session import Session, SessionOptions
from support.paths import CASES, TINY

GRAPH = TINY / "onnx" / "model_q4.onnx"
CONFIG = json.loads((TINY / "config.json").read_text(encoding="utf-8"))
ABSENT = [name for name, long in PROVIDERS.items() if long not in onnxruntime.get_available_providers()]


def test_the_providers_are_those_of_every_language() -> None:
    cases = json.loads((CASES / "providers.json").read_text(encoding="utf-8"))
    assert list(PROVIDERS.items()) == [(case["name"], case["onnxruntime"]) for case in cases]


def test_onnx_runtime_knows_their_names() -> None:
    assert set(PROVIDERS.values()) <= set(onnxruntime.get_all_providers())


@pytest.mark.parametrize("name", ABSENT)
def test_a_provider_that_the_build_lacks_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"provider {name} is not in this build of ONNX Runtime"):
        Session(ModelFiles(GRAPH.read_bytes()), CONFIG, SessionOptions(provider=name))


def test_the_cpu_is_in_every_build_and_others_may_lack() -> None:
    check_provider(CPU)
    assert "cuda" in ABSENT


def test_a_provider_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnsupportedError, match='no execution provider "tpu"'):
        check_provider("tpu")


def test_a_provider_that_takes_no_part_is_no_silent_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    # The one other provider of the tested build takes no node of such a graph: what falling back looks like.
    monkeypatch.setitem(provider.PROVIDERS, "azure", "AzureExecutionProvider")
    with pytest.raises(
        UnsupportedError, match=r"none of the graph's \d\d+ nodes to the execution provider azure: it fell back"
    ):
        Session(ModelFiles(GRAPH.read_bytes()), CONFIG, SessionOptions(provider="azure"))


def test_the_nodes_of_each_provider_are_counted() -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(RECORD_ASSIGNMENT, "1")
    session = onnxruntime.InferenceSession(GRAPH.read_bytes(), options, providers=[PROVIDERS[CPU]])
    nodes = assigned_nodes(session)
    assert list(nodes) == [PROVIDERS[CPU]]
    assert nodes[PROVIDERS[CPU]] > 10
    check_took_part(CPU, nodes)
