from pathlib import Path

import numpy as np
import pytest

from llmzip.codec.tree import log_probs
from llmzip.errors import UsageError
from llmzip.logprobs import NextToken, next_token_log_probs, write_log_probs
from llmzip.model.context import ContextPolicy, Plan
from support.synthetic import SyntheticSource

V = 40
POLICY = ContextPolicy(2, 9, 4)
IDS = [5, 3, 39, 0, 1, 2, 7, 7, 7, 20, 31, 8, 9, 10, 11, 12, 13]


def test_next_token_sees_what_a_reader_sees() -> None:
    next_token = NextToken(SyntheticSource(V), POLICY)
    rows = {each.first: each for each in next_token_log_probs(SyntheticSource(V), POLICY, Plan(), np.array(IDS))}
    for at, token in enumerate(IDS):
        assert np.array_equal(next_token.logits(), rows[at].logits[0])
        assert np.array_equal(next_token.log_probs(), rows[at].log_probs[0])
        assert np.exp(next_token.log_probs()).sum() == pytest.approx(1)
        next_token.append(token)


def test_asking_twice_or_not_at_all_changes_nothing() -> None:
    asked, silent = NextToken(SyntheticSource(V), POLICY), NextToken(SyntheticSource(V), POLICY)
    for token in IDS:
        asked.log_probs()
        asked.append(token)
        silent.append(token)
    assert np.array_equal(asked.log_probs(), silent.log_probs())


def test_ids_outside_the_vocabulary() -> None:
    next_token = NextToken(SyntheticSource(V), POLICY)
    for wrong in (-1, V):
        with pytest.raises(UsageError, match=f"id {wrong} is not in the vocabulary"):
            next_token.append(wrong)
    with pytest.raises(UsageError, match="start token"):
        NextToken(SyntheticSource(V), ContextPolicy(V, 9, 4))


@pytest.mark.parametrize("plan", [Plan(1, 1), Plan(1, 4), Plan(3, 1), Plan(3, 4), Plan(17, 1)], ids=str)
@pytest.mark.parametrize("max_batch", [None, 1, 2])
@pytest.mark.parametrize("logits_type", ["float32", "float16"])
def test_files_hold_the_bits_in_the_order_of_the_ids(
    tmp_path: Path, plan: Plan, max_batch: int | None, logits_type: str
) -> None:
    source = SyntheticSource(V, max_batch=max_batch, logits_type=logits_type)
    files = [tmp_path / name for name in ("logits", "coded", "rows")]
    told: list[tuple[int, int]] = []
    write_log_probs(source, POLICY, plan, IDS, files[0], files[1], files[2], lambda *at: told.append(at))
    assert told[-1] == (len(IDS), len(IDS))
    logits = np.fromfile(files[0], f"<f{2 if logits_type == 'float16' else 4}").reshape(len(IDS), V)
    expected = np.empty_like(logits)
    for each in next_token_log_probs(SyntheticSource(V, logits_type=logits_type), POLICY, plan, np.array(IDS)):
        expected[each.first : each.first + len(each.logits)] = each.logits
    assert np.array_equal(logits, expected)
    rows = np.fromfile(files[2], "<f8").reshape(len(IDS), V)
    assert np.array_equal(rows, log_probs(logits))
    assert np.array_equal(np.fromfile(files[1], "<f8"), rows[np.arange(len(IDS)), IDS])


def test_no_ids_give_empty_files_and_rows_are_optional(tmp_path: Path) -> None:
    write_log_probs(
        SyntheticSource(V), POLICY, Plan(4), [], tmp_path / "logits", tmp_path / "coded", None, lambda *_: None
    )
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["coded", "logits"]
    assert (tmp_path / "logits").read_bytes() == b""


def test_nothing_appears_when_an_id_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_log_probs(
            SyntheticSource(V), POLICY, Plan(), [1, V], tmp_path / "a", tmp_path / "b", None, lambda *_: None
        )
    assert list(tmp_path.iterdir()) == []
