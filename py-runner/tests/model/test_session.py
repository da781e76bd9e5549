import dataclasses
import json
from typing import Any

import numpy as np
import onnxruntime
import pytest

from llmzip.errors import InternalError, ModelError, UnsupportedError
from llmzip.model.context import ContextPolicy, Plan, rows_of_known_tokens
from llmzip.model.session import Session, SessionSettings, container_fingerprint
from support.graphs import CONFIG, HEAD_SIZE, VOCAB, Traits, graph
from support.paths import TINY

IDS = np.array([3, 1, 4, 1, 5, 9, 2, 6])


def open_graph(traits: Traits, config: dict[str, Any] | None = None, **settings: object) -> Session:
    return Session(graph(traits), CONFIG if config is None else config, SessionSettings(**settings))  # type: ignore[arg-type]


def rows(session: Session, plan: Plan, ids: np.ndarray = IDS) -> np.ndarray:
    policy = ContextPolicy(0, 6, 2)
    out = np.empty((len(ids), session.vocab_size))
    lanes = np.cumsum([0] + [len(lane) for lane in np.array_split(ids, plan.lanes)])
    for batch in rows_of_known_tokens(session, policy, plan, ids):
        for number, logits in enumerate(batch.logits):
            start = lanes[batch.first_lane + number] + batch.first_row
            out[start : start + len(logits)] = logits
    return out


def expected_logits(traits: Traits) -> np.ndarray:
    """The row after the ids 0, 3, 1, by the runtime itself in one pass each."""
    session = onnxruntime.InferenceSession(graph(traits), providers=["CPUExecutionProvider"])
    past = np.zeros((1, 2, 0, HEAD_SIZE), traits.cache_type)
    for position, token in enumerate([0, 3, 1]):
        feeds = {"input_ids": np.array([[token]]), "past_key_values.0.key": past}
        if traits.mask:
            feeds["attention_mask"] = np.ones((1, position + 1), np.int64)
        if traits.positions:
            feeds["position_ids"] = np.array([[position]])
        logits, past = session.run([traits.logits_name, traits.present_name], feeds)
    return logits[0, 0]


@pytest.mark.parametrize(
    "traits",
    [
        Traits(),
        Traits(mask=False),
        Traits(positions=False),
        Traits(mask=False, positions=False),
        Traits(cache_type="float16"),
        Traits(cache_type="int8"),
        Traits(cache_type="uint8"),
        Traits(logits_type="float16"),
        Traits(head_size="kv_cache_dim"),
        Traits(heads="num_heads", head_size="kv_cache_dim"),
        Traits(vocab="vocabulary"),
        Traits(batch=1),
        Traits(batch=1, present_batch="batch"),
    ],
    ids=str,
)
def test_graphs_are_driven_by_what_they_declare(traits: Traits) -> None:
    session = open_graph(traits)
    assert session.vocab_size == VOCAB
    assert session.logits_type == traits.logits_type
    assert session.allows_batch == (traits.batch == "batch")
    assert np.array_equal(rows(session, Plan())[2], expected_logits(traits))


def test_lanes_one_by_one_give_what_a_batch_gives() -> None:
    assert np.array_equal(rows(open_graph(Traits()), Plan(3)), rows(open_graph(Traits(batch=1)), Plan(3)))


def test_head_dim_of_the_config_wins() -> None:
    config = CONFIG | {"hidden_size": 999, "head_dim": HEAD_SIZE}
    traits = Traits(head_size="kv_cache_dim")
    assert np.array_equal(rows(open_graph(traits, config), Plan())[2], expected_logits(traits))


@pytest.mark.parametrize(
    ("traits", "match"),
    [
        (Traits(logits_name="scores"), "no output 'logits'"),
        (Traits(present_name="presents.0.key"), "no output present.0.key"),
        (Traits(extra_input="num_logits_to_keep"), "to feed to the input 'num_logits_to_keep'"),
        (Traits(batch=2), "batch of 2 only"),
        (Traits(logits_type="int8"), "logits are int8"),
    ],
    ids=str,
)
def test_graphs_that_cannot_be_driven(traits: Traits, match: str) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        open_graph(traits)
    assert caught.value.hint


def test_what_is_no_graph() -> None:
    with pytest.raises(ModelError, match="cannot load the graph"):
        Session(b"not a graph", CONFIG, SessionSettings())


@pytest.mark.parametrize(
    "config", [{}, {"hidden_size": 16}, {"hidden_size": 16, "num_attention_heads": 0}, {"head_dim": "4"}]
)
def test_an_incomplete_config(config: dict[str, object]) -> None:
    session = open_graph(Traits(head_size="kv_cache_dim"), config)
    with pytest.raises(ModelError, match=r"config\.json has no usable"):
        session.reset(1)


def test_a_failing_pass_names_itself() -> None:
    session = open_graph(Traits())
    session.reset(1)
    with pytest.raises(ModelError, match="fails on 1 ids in 1 lanes after 0"):
        session.feed(np.array([[VOCAB]]))


def test_a_static_graph_refuses_lanes_at_once() -> None:
    with pytest.raises(InternalError, match="input_ids is fixed at 1"):
        open_graph(Traits(batch=1)).reset(2)


def test_unknown_settings() -> None:
    with pytest.raises(UnsupportedError, match="provider 'cuda'"):
        open_graph(Traits(), provider="cuda")
    with pytest.raises(UnsupportedError, match="optimization 'most'"):
        open_graph(Traits(), graph_optimization="most")


def test_inspection_of_a_static_graph() -> None:
    traits = Traits(batch=1)
    view = open_graph(traits).inspect(graph(traits))
    assert view["batch_policy"] == {"batch": "static", "reason": "the batch dimension of input_ids is fixed at 1"}
    assert view["inputs"][0] == {"name": "input_ids", "type": "int64", "shape": [1, "sequence"]}
    assert view["opset"] == {"": 17}
    assert view["ops"]["Gather"] == 2
    assert view["provider"] == "CPUExecutionProvider"


def test_a_static_present_alone_forbids_a_batch() -> None:
    policy = open_graph(dataclasses.replace(Traits(), present_batch=1)).batch_policy
    assert policy.reason == "the batch dimension of present.0.key is fixed at 1"


def test_the_container_s_fingerprint_fits() -> None:
    assert container_fingerprint().startswith(f"ort-{onnxruntime.__version__}/")
    assert len(container_fingerprint()) <= 32


@pytest.fixture(scope="module", params=["q4f16", "q4"])
def tiny(request: pytest.FixtureRequest) -> Session:
    config = json.loads((TINY / "config.json").read_text())
    return Session((TINY / "onnx" / f"model_{request.param}.onnx").read_bytes(), config, SessionSettings())


def test_the_tiny_model_allows_a_batch_and_predicts_in_every_plan(tiny: Session) -> None:
    assert tiny.allows_batch
    generator = np.random.default_rng(3)
    ids = generator.integers(0, tiny.vocab_size, 40)
    alone = rows(tiny, Plan(), ids)
    assert np.array_equal(alone, rows(tiny, Plan(), ids))
    # A pass over several inputs takes other kernels: near, but not the same bits.
    assert np.abs(alone - rows(tiny, Plan(1, 8), ids)).max() < 0.1
    assert np.array_equal(rows(tiny, Plan(4), ids), rows(tiny, Plan(4), ids))


def test_rows_outlive_the_next_pass(tiny: Session) -> None:
    tiny.reset(1)
    first = tiny.feed(np.array([[5]]))
    kept = first.copy()
    tiny.feed(np.array([[6]]))
    tiny.reset(1)
    tiny.feed(np.array([[7]]))
    assert np.array_equal(first, kept)
