"""Random checkpoints of several families through the real exporters, held to transformers. Needs the exporters' environments:
`python -m llmzip quantize --install`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmzip.model.loader import load_variant, record_of
from llmzip.model.session import SessionOptions
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.export.environment import ENVIRONMENTS, is_ready, python_of
from llmzip.quantize.export.process import run
from llmzip.quantize.nbits import PRESETS
from llmzip.quantize.pipeline import Request, quantize_checkpoint
from llmzip.quantize.source import open_source
from llmzip.quantize.validate.bounds import FLOAT_DIFFERENCE, BoundError, Bounds
from support.paths import TINY

pytestmark = pytest.mark.skipif(
    not all(is_ready(name) for name in ENVIRONMENTS),
    reason="the exporters are not installed: python -m llmzip quantize --install",
)

MAKER = Path(__file__).with_name("random_checkpoints.py")
NAMES = ("llama", "mistral-window", "gemma3", "phi", "gpt2", "gpt_neox", "mamba")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    run([python_of("fused"), MAKER, TINY, folder, *NAMES], "the making", folder / "log", QuantizeError, print)
    return folder


def made(source: Path, out: Path, **options: Any) -> dict[str, Any]:
    request = Request(out, PRESETS["llmzip"], **options)
    return quantize_checkpoint(open_source(str(source)), request, print)


@pytest.mark.parametrize(
    ("name", "exporter", "positions", "variants"),
    [
        ("llama", "fused", False, {"exact", "q4f16", "q4"}),
        # Its window makes it the generic exporter's.
        ("mistral-window", "generic", True, {"exact", "q4f16", "q4"}),
        ("gemma3", "generic", False, {"q4f16", "q4"}),
        # A quarter of a head of 16: too narrow for the fused op. Biases, and a head with one.
        ("phi", "generic", True, {"q4f16", "q4"}),
        # Conv1D, learned positions, a tied head.
        ("gpt2", "generic", True, {"q4f16", "q4"}),
        # Another base of rotation than the family's, which the older transformers would pass over.
        ("gpt_neox", "generic", True, {"q4f16", "q4"}),
    ],
)
def test_a_checkpoint_becomes_a_model_that_computes_what_transformers_computes(
    tmp_path: Path, checkpoints: Path, name: str, exporter: str, positions: bool, variants: set[str]
) -> None:
    report = made(checkpoints / name, tmp_path / name)
    assert report["export"]["exporter"] == exporter
    graphs = report["validation"]["graphs"]
    assert graphs["float export"]["largest_log_prob_difference"]["of_any_token"] < FLOAT_DIFFERENCE / 10
    assert len(graphs["float export"]["layers"]["relative_error"]) == 2
    out = tmp_path / name
    assert (out / "quantization.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "quantization.json").read_text()) == report
    record = record_of(out)
    assert {each.dtype for each in record.variants} == variants
    # Another machine's runner sees the same probabilities as the baseline did, as far as 4 bits allow.
    assert graphs["q4"]["kl_bits"]["mean"] < 0.05
    assert abs(graphs["q4"]["kl_bits"]["mean"] - graphs["q4f16"]["kl_bits"]["mean"]) < 1e-3
    loaded = load_variant(out, record, record.variant("q4"), SessionOptions(), verify=True)
    inputs = {each.name for each in loaded.inspect().inputs}
    assert ("position_ids" in inputs) == positions
    loaded.source.reset(1)
    assert loaded.source.feed(np.array([[0, 5, 6]], np.int64)).shape == (1, 3, 1536)


def test_an_exporter_that_cannot_says_so_and_leaves_nothing(tmp_path: Path, checkpoints: Path) -> None:
    for name, options, words in (
        ("mamba", {}, "it does not know the family mamba"),
        ("gpt2", {"exporter": "fused"}, "no builder for GPT2LMHeadModel"),
        ("gpt2", {"activations": ("exact",)}, 'model_type is "gpt2"'),
    ):
        with pytest.raises(QuantizeError, match=words):
            made(checkpoints / name, tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_bound_that_is_exceeded_fails_and_leaves_nothing(tmp_path: Path, checkpoints: Path) -> None:
    with pytest.raises(BoundError, match="bits of mean KL from the checkpoint, more than 1e-06"):
        made(checkpoints / "llama", tmp_path / "it", bounds=Bounds(mean_kl=1e-6))
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_export_is_passed_over_for_another(
    tmp_path: Path, checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The fused exporter leaves out the window, which only the comparison with transformers shows.
    monkeypatch.setattr("llmzip.quantize.export.fused._window", lambda _config: None)
    report = made(checkpoints / "mistral-window", tmp_path / "it", activations=("fp32",), compare_scales=True)
    assert report["export"]["exporter"] == "generic"
    assert "the float export is not the checkpoint" in report["export"]["passed_over"]["fused"]
    choices = report["validation"]["choices_of_scales"]
    errors = {name: each["kl_bits"]["mean"] for name, each in choices.items()}
    assert len(errors) == 4
    assert errors["least-squares, symmetric"] < errors["max-abs, symmetric"]
