"""What a graph declares of its batch and sequence dimensions means what it means in every language."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmzip.errors import ModelError
from llmzip.model.graph import BatchPolicy, TensorInfo
from llmzip.model.signature import IDS, LOGITS, MASK, POSITIONS, PRESENT, read_signature
from support.paths import CASES

TABLE = json.loads((CASES / "declarations.json").read_text(encoding="utf-8"))
CONFIG = {"vocab_size": 9, "head_dim": 4, "num_attention_heads": 2}


def dimension(letter: str, symbol: str) -> int | str:
    return {"n": symbol, "a": ""}[letter] if letter in "na" else int(letter)


def declared(name: str, word: str) -> TensorInfo:
    """A tensor as a word of the table says: a letter for its batch, one for its sequence."""
    batch = dimension(word[0], "batch_size")
    if name == MASK:
        return TensorInfo(name, "int64", (batch, dimension(word[1], "total_sequence_length")))
    if name == LOGITS:
        return TensorInfo(name, "float32", (batch, dimension(word[1], "sequence_length"), 9))
    if name in (IDS, POSITIONS):
        return TensorInfo(name, "int64", (batch, dimension(word[1], "sequence_length")))
    return TensorInfo(name, "float32", (batch, 2, dimension(word[1], "past_sequence_length"), 4))


@pytest.mark.parametrize("group", TABLE["groups"], ids=lambda group: json.dumps(group["expected"]))
def test_all_declarations_mean_what_they_mean_in_every_language(group: dict[str, Any]) -> None:
    expected = group["expected"]
    for case in group["cases"]:
        words = zip(TABLE["tensors"], case.split(" "), strict=True)
        tensors = [declared(name, word) for name, word in words if word != "--"]
        outputs = [each for each in tensors if each.name == LOGITS or each.name.startswith(PRESENT)]
        inputs = [each for each in tensors if each not in outputs]
        if "refused" in expected:
            with pytest.raises(ModelError):
                read_signature(inputs, outputs, CONFIG)
            continue
        signature = read_signature(inputs, outputs, CONFIG)
        assert signature.batch_policy == BatchPolicy(**expected["policy"]), case
        assert signature.one_by_one == (expected["length"] == 1), case


def test_the_table_is_what_its_script_makes(tmp_path: Any) -> None:
    script = tmp_path / "make_declarations.py"
    script.write_bytes((CASES / "make_declarations.py").read_bytes())
    namespace: dict[str, Any] = {"__name__": "make_declarations", "__file__": str(script)}
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), namespace)
    namespace["main"]()
    assert (tmp_path / "declarations.json").read_bytes() == (CASES / "declarations.json").read_bytes()
