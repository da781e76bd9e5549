import dataclasses
import json
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from llmzip.errors import ModelError, UnsupportedError, UsageError, VocabularyError
from llmzip.model.context import ContextPolicy, Plan, rows_of_known_tokens
from llmzip.model.exactness import Exactness
from llmzip.model.graph import BatchPolicy, TensorInfo
from llmzip.model.model_files import one_file
from llmzip.model.session import Session, SessionOptions, container_fingerprint
from llmzip.model.signature import read_signature
from support.graphs import CONFIG, HEAD_SIZE, VOCAB, Traits, graph
from support.paths import TINY, TINY_VARIANTS

IDS = np.array([3, 1, 4, 1, 5, 9, 2, 6])


def open_graph(traits: Traits, config: dict[str, Any] | None = None, **settings: object) -> Session:
    return Session(one_file(graph(traits)), CONFIG if config is None else config, SessionOptions(**settings))  # type: ignore[arg-type]


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
        index = np.dtype(traits.index_type)
        feeds = {"input_ids": np.array([[token]], index), "past_key_values.0.key": past}
        if traits.mask:
            feeds["attention_mask"] = np.ones((1, position + 1), index)
        if traits.positions:
            feeds["position_ids"] = np.array([[position]], index)
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
        Traits(sequence=1),
        Traits(index_type="int32"),
    ],
    ids=str,
)
def test_graphs_are_driven_by_what_they_declare(traits: Traits) -> None:
    session = open_graph(traits)
    assert session.vocab_size == VOCAB
    assert session.logits_type == traits.logits_type
    assert session.max_batch == (None if traits.batch == "batch" else 1)
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
        (Traits(logits_name="scores"), "no output logits"),
        (Traits(present_name="presents.0.key"), "no output present.0.key"),
        (Traits(extra_input="num_logits_to_keep"), "input num_logits_to_keep is not one"),
        (Traits(batch=2), r"batches of \[2\] only"),
        (Traits(logits_type="int8"), "logits are int8"),
        (Traits(sequence=4), "the sequence dimension of input_ids is fixed at 4"),
    ],
    ids=str,
)
def test_graphs_that_cannot_be_driven(traits: Traits, match: str) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        open_graph(traits)
    assert caught.value.hint


def test_what_is_no_graph() -> None:
    with pytest.raises(ModelError, match="cannot load the graph"):
        Session(one_file(b"not a graph"), CONFIG, SessionOptions())


@pytest.mark.parametrize(
    ("missing", "config"),
    [
        ("vocab_size", {"head_dim": 4}),
        ("hidden_size", {"vocab_size": VOCAB}),
        ("num_attention_heads", {"vocab_size": VOCAB, "hidden_size": 16, "num_attention_heads": 0}),
        ("head_dim", {"vocab_size": VOCAB, "head_dim": "4"}),
    ],
)
def test_an_incomplete_config(missing: str, config: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=rf"config\.json has no usable {missing}: "):
        open_graph(Traits(head_size="kv_cache_dim"), config)


IDS_INFO = TensorInfo("input_ids", "int64", ("batch", "sequence"))
PAST_INFO = TensorInfo("past_key_values.0.key", "float16", ("batch", 2, "past", 4))
PRESENT_INFO = TensorInfo("present.0.key", "float16", ("batch", 2, "total", 4))
LOGITS_INFO = TensorInfo("logits", "float32", ("batch", "sequence", VOCAB))


def check_undrivable(match: str, *declared: TensorInfo) -> None:
    """A decoder with some declarations replaced or added is refused."""
    names = [each.name for each in declared]
    inputs = [each for each in (IDS_INFO, PAST_INFO) if each.name not in names]
    outputs = [each for each in (LOGITS_INFO, PRESENT_INFO) if each.name not in names]
    inputs += [each for each in declared if each.name.startswith(("input", "past", "attention"))]
    outputs += [each for each in declared if each.name.startswith(("logits", "present"))]
    with pytest.raises(ModelError, match=match):
        read_signature(inputs, outputs, CONFIG)


def test_declarations_that_cannot_be_driven() -> None:
    assert read_signature([IDS_INFO, PAST_INFO], [LOGITS_INFO, PRESENT_INFO], CONFIG).caches[0].shape == (0, 2, 0, 4)
    check_undrivable("leaves no dimension open for the past", replace(PAST_INFO, shape=("batch", 2, 7, 4)))
    check_undrivable(
        "present.0.key is float32, past_key_values.0.key is float16", replace(PRESENT_INFO, type="float32")
    )
    check_undrivable(
        "bfloat16, which numpy", replace(PAST_INFO, type="bfloat16"), replace(PRESENT_INFO, type="bfloat16")
    )
    check_undrivable("input_ids is uint8", replace(IDS_INFO, type="uint8"))
    check_undrivable("input_ids is int64 ", replace(IDS_INFO, shape=("batch",)))
    check_undrivable("attention_mask is bool", TensorInfo("attention_mask", "bool", ("batch", "total")))
    check_undrivable("logits are float32 ", replace(LOGITS_INFO, shape=("batch", VOCAB)))
    check_undrivable("takes batches of", replace(IDS_INFO, shape=()))
    with pytest.raises(ModelError, match="hence no cache"):
        read_signature([IDS_INFO], [LOGITS_INFO], CONFIG)
    with pytest.raises(ModelError, match="no input input_ids"):
        read_signature([PAST_INFO], [LOGITS_INFO, PRESENT_INFO], CONFIG)


def test_a_vocabulary_that_is_not_the_config_s() -> None:
    with pytest.raises(VocabularyError, match=r"vocabulary of 11, config\.json says 12"):
        open_graph(Traits(), CONFIG | {"vocab_size": 12})


def test_logits_that_are_not_finite() -> None:
    with pytest.raises(ModelError, match="logit of token 3 in row 2 of lane 0 is nan"):
        rows(open_graph(Traits(poison=1)), Plan())


def test_a_failing_pass_names_itself() -> None:
    session = open_graph(Traits())
    session.reset(1)
    with pytest.raises(ModelError, match="fails on 1 ids in 1 lanes after 0"):
        session.feed(np.array([[VOCAB]]))


def test_another_vocabulary_is_refused_even_where_the_graph_leaves_it_open() -> None:
    session = open_graph(Traits(vocab="vocabulary"))
    # ONNX Runtime infers the width of this graph; of others it cannot.
    session.vocab_size = VOCAB + 1
    session.reset(1)
    with pytest.raises(VocabularyError, match=f"predicts {VOCAB} tokens, .* vocab_size of {VOCAB + 1}"):
        session.feed(np.array([[1]]))


def test_a_static_graph_refuses_lanes_at_once() -> None:
    with pytest.raises(UnsupportedError, match=r"one lane at a time, not 2: .* input_ids is fixed at 1"):
        open_graph(Traits(batch=1)).reset(2)


def test_a_batch_beyond_the_policy_is_refused_with_its_reason() -> None:
    with pytest.raises(UnsupportedError, match=r"not a batch of 2: .* input_ids is fixed at 1"):
        open_graph(Traits(batch=1), batch=2)
    assert open_graph(Traits(batch=1), batch=1).max_batch == 1
    assert open_graph(Traits(), batch=2).max_batch == 2


def test_a_batch_of_fewer_lanes_gives_the_same_rows() -> None:
    assert np.array_equal(rows(open_graph(Traits()), Plan(3)), rows(open_graph(Traits(), batch=2), Plan(3)))


def test_unknown_settings() -> None:
    for threads in (0, 1025):
        with pytest.raises(UsageError, match=f"{threads} threads"):
            open_graph(Traits(), threads=threads)
    for batch in (0, 257):
        with pytest.raises(UsageError, match=f"a batch of {batch} lanes"):
            open_graph(Traits(), batch=batch)
    with pytest.raises(UsageError, match="optimization 'most'"):
        open_graph(Traits(), graph_optimization="most")


def test_inspection_of_a_static_graph() -> None:
    traits = Traits(batch=1)
    view = open_graph(traits).inspect(graph(traits))
    assert view.batch_policy == BatchPolicy("static", "the batch dimension of input_ids is fixed at 1")
    assert view.inputs[0] == TensorInfo("input_ids", "int64", (1, "sequence"))
    assert view.opset == {"": 17}
    assert view.ops["Gather"] == 2
    assert view.exactness == Exactness(False, "the graph does not say that it is exact")
    assert view.provider == "cpu"


def test_a_static_present_alone_forbids_a_batch() -> None:
    policy = open_graph(dataclasses.replace(Traits(), present_batch=1)).signature.batch_policy
    assert policy.reason == "the batch dimension of present.0.key is fixed at 1"


def test_the_container_s_fingerprint_fits() -> None:
    fingerprint = container_fingerprint(Exactness(False, ""))
    assert fingerprint.startswith(f"ort-{onnxruntime.__version__}/")
    assert len(fingerprint) <= 32
    assert container_fingerprint(Exactness(True, "")) == "exact-1"


@pytest.fixture(scope="module", params=TINY_VARIANTS)
def tiny(request: pytest.FixtureRequest) -> Session:
    config = json.loads((TINY / "config.json").read_text())
    return Session(one_file((TINY / "onnx" / f"model_{request.param}.onnx").read_bytes()), config, SessionOptions())


def test_the_tiny_model_allows_a_batch_and_predicts_in_every_plan(tiny: Session) -> None:
    assert tiny.max_batch is None
    generator = np.random.default_rng(3)
    ids = generator.integers(0, tiny.vocab_size, 40)
    alone = rows(tiny, Plan(), ids)
    assert np.array_equal(alone, rows(tiny, Plan(), ids))
    chunked = rows(tiny, Plan(1, 8), ids)
    if tiny.exactness.exact:
        assert np.array_equal(alone, chunked)
        assert np.array_equal(rows(tiny, Plan(4), ids), rows(tiny, Plan(4, 8), ids))
    else:
        # A pass over several inputs takes other kernels: near, but not the same bits.
        assert np.abs(alone - chunked).max() < 0.1
    assert np.array_equal(rows(tiny, Plan(4), ids), rows(tiny, Plan(4), ids))


def test_rows_outlive_the_next_pass(tiny: Session) -> None:
    tiny.reset(1)
    first = tiny.feed(np.array([[5]]))
    kept = first.copy()
    tiny.feed(np.array([[6]]))
    tiny.reset(1)
    tiny.feed(np.array([[7]]))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize(("variant", "expected"), [("q4", 3072), ("q4f16", 1536), ("exact", 864)])
def test_an_input_takes_what_the_caches_declare_unless_a_batch_was_asked_for(variant: str, expected: int) -> None:
    """Six layers of keys and values, two heads of 32 each; the exact graph has bytes and a scale of 4 for a head."""
    config = json.loads((TINY / "config.json").read_text())
    files = one_file((TINY / "onnx" / f"model_{variant}.onnx").read_bytes())
    assert Session(files, config, SessionOptions()).cache_bytes == expected
    assert Session(files, config, SessionOptions(batch=4)).cache_bytes == 0
