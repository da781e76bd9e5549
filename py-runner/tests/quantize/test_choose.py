"""Which exporter is tried for which checkpoint, and what its config must be for an older transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.export.choose import candidates
from llmzip.quantize.export.generic import for_transformers_4
from llmzip.quantize.source import CheckpointFolder, read_folder
from support.paths import TINY


def checkpoint(family: str, architecture: str, **config: Any) -> CheckpointFolder:
    whole = {"model_type": family, "architectures": [architecture], **config}
    return CheckpointFolder(Path("there"), whole, ("model.safetensors",), "it")


SIZES = {"hidden_size": 64, "num_attention_heads": 4, "max_position_embeddings": 512}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (checkpoint("llama", "LlamaForCausalLM", **SIZES), ["fused", "generic"]),
        (checkpoint("gpt2", "GPT2LMHeadModel"), ["generic"]),
        (checkpoint("mistral", "MistralForCausalLM", **SIZES), ["fused", "generic"]),
        (checkpoint("mistral", "MistralForCausalLM", **SIZES, sliding_window=512), ["fused", "generic"]),
        (checkpoint("mistral", "MistralForCausalLM", **SIZES, sliding_window=8), ["generic"]),
        (checkpoint("phi", "PhiForCausalLM", **SIZES, partial_rotary_factor=0.5), ["generic"]),
        (
            checkpoint("phi", "PhiForCausalLM", **SIZES, rope_parameters={"partial_rotary_factor": 0.5}),
            ["generic"],
        ),
        (checkpoint("phi", "PhiForCausalLM", **SIZES, head_dim=80, partial_rotary_factor=0.4), ["fused", "generic"]),
        (checkpoint("ernie4_5", "Ernie4_5ForCausalLM", **SIZES), ["fused"]),
    ],
)
def test_auto_tries_the_fused_exporter_first_where_it_can(source: CheckpointFolder, expected: list[str]) -> None:
    assert candidates(source, "auto") == expected


def test_a_family_that_none_can_do_is_refused_by_name_with_both_reasons() -> None:
    with pytest.raises(QuantizeError) as caught:
        candidates(checkpoint("mamba", "MambaForCausalLM"), "auto")
    for words in ("mamba", "no builder for MambaForCausalLM", "generic: it does not know the family mamba"):
        assert words in caught.value.message


@pytest.mark.parametrize(
    ("name", "words"), [("fused", "sliding window of Mistral"), ("own", "model_type|cannot be read")]
)
def test_an_exporter_that_was_asked_for_says_why_it_cannot(name: str, words: str) -> None:
    source = checkpoint("mistral", "MistralForCausalLM", **SIZES, sliding_window=8)
    with pytest.raises(QuantizeError, match=words):
        candidates(source, name)


def test_the_own_exporter_does_the_embedded_model() -> None:
    assert candidates(read_folder(TINY, "tiny"), "own") == ["own"]


def test_what_transformers_5_keeps_of_rotation_is_said_in_the_words_of_4() -> None:
    def check(config: dict[str, Any], expected: dict[str, Any]) -> None:
        assert for_transformers_4(config) == expected

    check({"rope_theta": 3.0}, {"rope_theta": 3.0})
    check({"rope_parameters": {"rope_type": "default", "rope_theta": 5.0}}, {"rope_theta": 5.0})
    check({"rope_parameters": {"rope_theta": 5.0}, "rope_theta": 6.0}, {"rope_theta": 6.0})
    check(
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5.0, "partial_rotary_factor": 0.5}},
        {"rope_theta": 5.0, "partial_rotary_factor": 0.5, "rope_scaling": {"rope_type": "linear", "factor": 2.0}},
    )
    check(
        {"model_type": "gpt_neox", "rope_parameters": {"rope_theta": 5.0, "partial_rotary_factor": 0.25}},
        {"model_type": "gpt_neox", "rotary_emb_base": 5.0, "rotary_pct": 0.25},
    )
    check(
        {"rope_parameters": {"full_attention": {"rope_theta": 9.0}, "sliding_attention": {"rope_theta": 7.0}}},
        {"rope_theta": 9.0, "rope_local_base_freq": 7.0},
    )
