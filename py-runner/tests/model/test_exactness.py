import numpy as np
import onnx
import pytest
from onnx import helper

from llmzip.errors import ModelError, UnsupportedError
from llmzip.model.context import ContextPolicy, Plan, rows_of_known_tokens
from llmzip.model.exactness import EXACT_OPS, Exactness, read_exactness, require_exact
from llmzip.model.graph import graph_exactness
from llmzip.model.model_files import one_file
from llmzip.model.session import Session, SessionOptions
from support.graphs import CONFIG, VOCAB, exact_graph, exact_weight

EXACT = Exactness(True, "the graph says so (llmzip.exact 1) and has only exact ops")
SILENT = Exactness(False, "the graph does not say that it is exact")
POLICY = ContextPolicy(1, 9, 3)


def unknown(version: str) -> Exactness:
    return Exactness(False, f"the graph follows version {version} of the rules, which this runner does not know")


def inexact(op: str) -> Exactness:
    return Exactness(False, f"the graph says that it is exact, but has the op {op}")


@pytest.mark.parametrize(
    ("metadata", "ops", "expected"),
    [
        ({"llmzip.exact": "1"}, ["Gather", "MatMulInteger"], EXACT),
        ({"llmzip.exact": "1", "llmzip.source": "model.safetensors"}, sorted(EXACT_OPS), EXACT),
        ({"llmzip.exact": "1"}, [], EXACT),
        ({}, ["Gather"], SILENT),
        ({"LLMZIP.EXACT": "1", "exact": "1"}, ["Gather"], SILENT),
        ({"llmzip.exact": "2"}, ["Gather"], unknown("2")),
        ({"llmzip.exact": "1 "}, ["Gather"], unknown("1 ")),
        ({"llmzip.exact": ""}, ["Gather"], unknown("")),
        ({"llmzip.exact": "9" * 5000}, ["Gather"], unknown("9" * 40)),
        # The first in the order of names, whatever the order of nodes.
        ({"llmzip.exact": "1"}, ["Softmax", "Gather", "MatMul"], inexact("MatMul")),
        ({"llmzip.exact": "1"}, ["com.microsoft::MatMulNBits", "Gather"], inexact("com.microsoft::MatMulNBits")),
        # A name of the default domain says nothing in another one.
        ({"llmzip.exact": "1"}, ["Add", "custom::Add"], inexact("custom::Add")),
        ({"llmzip.exact": "2"}, ["Softmax"], unknown("2")),
    ],
    ids=str,
)
def test_what_metadata_and_ops_say(metadata: dict[str, str], ops: list[str], expected: Exactness) -> None:
    assert read_exactness(metadata, ops) == expected


def with_metadata(*entries: tuple[str, str]) -> onnx.ModelProto:
    model = onnx.load_model_from_string(exact_graph())
    del model.metadata_props[:]
    for key, value in entries:
        model.metadata_props.add(key=key, value=value)
    return model


def test_what_a_file_says() -> None:
    assert graph_exactness(exact_graph()) == EXACT
    assert graph_exactness(with_metadata().SerializeToString()) == SILENT
    assert graph_exactness(with_metadata(("name", "llmzip.exact")).SerializeToString()) == SILENT
    # Of an entry that is there twice the last counts, as for any map in a file of this kind.
    twice = with_metadata(("llmzip.exact", "1"), ("llmzip.exact", "3"))
    assert graph_exactness(twice.SerializeToString()) == unknown("3")
    not_text = with_metadata(("llmzip.exact", "!")).SerializeToString().replace(b"exact\x12\x01!", b"exact\x12\x01\xff")
    assert graph_exactness(not_text) == unknown("\ufffd")


def test_an_op_in_a_subgraph_counts() -> None:
    model = with_metadata(("llmzip.exact", "1"))
    inner = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "inner", [], [])
    model.graph.node.add(op_type="Where").attribute.append(helper.make_attribute("then_branch", inner))
    assert graph_exactness(model.SerializeToString()) == inexact("Exp")


def test_what_is_no_onnx_file() -> None:
    with pytest.raises(ModelError, match="not an ONNX model"):
        graph_exactness(b"llmzip.exact, but no model")


def test_exactness_is_required() -> None:
    require_exact(EXACT)
    with pytest.raises(UnsupportedError, match=r"eps 0 relies on .*, but the graph does not say") as caught:
        require_exact(SILENT)
    assert "variant exact" in caught.value.hint


def rows(session: Session, plan: Plan, ids: np.ndarray) -> np.ndarray:
    """Logits by lane and row, so that plans of other chunks give the same array."""
    found = {}
    for batch in rows_of_known_tokens(session, POLICY, plan, ids):
        for lane, row in np.ndindex(batch.logits.shape[:2]):
            found[batch.first_lane + lane, batch.first_row + row] = batch.logits[lane, row]
    return np.stack([found[place] for place in sorted(found)])


@pytest.mark.parametrize("layout", ["past last", "past before head"])
@pytest.mark.parametrize("lanes", [1, 3])
def test_uint8_caches_with_scales_are_driven(layout: str, lanes: int) -> None:
    """Rows depend on every byte and scale of the past: of other lanes, or of an old window, they would be others."""
    session = Session(one_file(exact_graph(past_last=layout == "past last")), CONFIG, SessionOptions())
    assert session.exactness == EXACT
    assert {cache.name: cache.type for cache in session.signature.caches} == {
        "past_key_values.0.key": "uint8",
        "past_key_values.0.key_scale": "float32",
    }
    ids = np.random.default_rng(4).integers(0, VOCAB, 31)
    alone = rows(session, Plan(lanes, 1), ids)
    assert len(np.unique(alone, axis=0)) > len(ids) // 2
    for chunk in (4, 64):
        assert np.array_equal(alone, rows(session, Plan(lanes, chunk), ids))
    expected = [cumulated for lane in np.array_split(ids, lanes) for cumulated in expected_sums(lane)]
    assert np.array_equal(alone[:, 0], np.array(expected, np.float32))


def expected_sums(lane: np.ndarray) -> list[float]:
    """The logit of id 0 in each row of a lane: the sum of what the inputs of its window left in the cache."""
    inputs = [POLICY.start_token, *lane[:-1].tolist()]
    sums, start, end = [], 0, POLICY.window
    for row in range(len(inputs)):
        if row == end:
            start, end = end - POLICY.overlap, end + POLICY.window - POLICY.overlap
        sums.append(sum(exact_weight(token) for token in inputs[start : row + 1]))
    return sums
