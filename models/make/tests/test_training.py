"""The parts of the training: grid, network, optimizer, batches, resuming. Needs PyTorch."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch comes with the extra `train`")

from tokenizers import Tokenizer  # noqa: E402

from llmzip.quantize.nbits.scales import quantize  # noqa: E402
from tiny_model.batches import Batches  # noqa: E402
from tiny_model.checkpoint import write_checkpoint  # noqa: E402
from tiny_model.corpus import documents  # noqa: E402
from tiny_model.export import FLAVOUR_FILES, export  # noqa: E402
from tiny_model.grid import BLOCK, snap  # noqa: E402
from tiny_model.inference import OnnxModel, windows  # noqa: E402
from tiny_model.network import Llama  # noqa: E402
from tiny_model.optimizer import orthogonal  # noqa: E402
from tiny_model.paths import TINY  # noqa: E402
from tiny_model.shape import OVERLAP, START_ID, TINY_SHAPE, WINDOW  # noqa: E402
from tiny_model.train import Plan, train  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(TINY / "tokenizer.json"))


def test_grid_weights_are_exact_in_float16_and_in_the_graph() -> None:
    weight = torch.randn(48, 96, generator=torch.Generator().manual_seed(1)) * 0.07
    snapped = snap(weight)
    assert torch.equal(snapped, snapped.half().float())
    assert np.array_equal(quantize(snapped.half().float().numpy(), BLOCK).dequantized(), snapped.numpy())
    assert 0 < (snapped - weight).abs().max() < 0.05


def test_gradient_passes_the_grid() -> None:
    torch.manual_seed(1)
    model = Llama(TINY_SHAPE)
    ids = torch.arange(24)[None]
    plain = model(ids)
    model.quantize()
    seen = model(ids)
    assert not torch.equal(plain, seen)
    torch.autograd.backward(seen.square().mean())
    assert all(matrix.grad is not None and matrix.grad.abs().max() > 0 for matrix in model.matrices())


def test_the_graph_computes_the_network(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = Llama(TINY_SHAPE)
    write_checkpoint(model, tmp_path)
    export(tmp_path)
    model.load_state_dict({name: value.half().float() for name, value in model.state_dict().items()})
    ids = np.random.default_rng(3).integers(0, TINY_SHAPE.vocab, (2, 40))
    with torch.no_grad():
        wanted = model(torch.from_numpy(ids)).numpy()
    for name, tolerance in zip(FLAVOUR_FILES, (2e-2, 1e-4), strict=True):
        assert np.abs(wanted).max() > 1
        np.testing.assert_allclose(OnnxModel(tmp_path / "onnx" / name)(ids), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("shape", [(32, 64), (64, 32)])
def test_orthogonal_evens_out_singular_values(shape: tuple[int, int]) -> None:
    update = torch.randn(*shape, generator=torch.Generator().manual_seed(4))
    values = torch.linalg.svdvals(orthogonal(update))
    assert 0.5 < values.min() <= values.max() < 1.5


def test_batches_are_a_function_of_their_number(tokenizer: Tokenizer) -> None:
    first, second = Batches(tokenizer, 6, ("def f():\n    return 1\n" * 80,)), Batches(tokenizer, 6)
    batch = first.draw()
    assert batch.shape == (6, WINDOW + 1)
    assert batch.dtype == torch.int64
    assert not torch.equal(first.draw(), batch)
    second.sources, second.drawn = first.sources, 0
    again = Batches(tokenizer, 6, first.sources)
    assert torch.equal(again.draw(), batch)
    starts = [row[0].item() == START_ID for _ in range(6) for row in again.draw()]
    assert any(starts)
    assert not all(starts)


def test_training_goes_on_from_its_state(tokenizer: Tokenizer, tmp_path: Path) -> None:
    plan = Plan(steps=3, rows=1, rows_at_once=1, threads=1, checkpoint_every=1, quantize_from=0.5)
    whole = train(tokenizer, (), plan, tmp_path / "whole.pt")
    stopped = Plan(steps=3, rows=1, rows_at_once=1, threads=1, checkpoint_every=1, quantize_from=0.5, minutes=0)
    state = tmp_path / "parts.pt"
    assert train(tokenizer, (), stopped, state) is None
    assert train(tokenizer, (), stopped, state) is None
    parts = train(tokenizer, (), plan, state)
    assert whole is not None
    assert parts is not None
    for left, right in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(left, right)


def test_rates_rise_stay_and_fall() -> None:
    plan = Plan(steps=1000)
    rates = [plan.rate(step) for step in range(1000)]
    assert rates[0] < rates[20] < rates[300] == 1.0 == rates[599] > rates[800] > rates[999] > 0


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 896, 897, 3892])
def test_windows_predict_every_token_once(tokenizer: Tokenizer, length: int) -> None:
    text = "".join(islice(documents("test"), 6))
    ids = tokenizer.encode(text).ids[:length]
    assert len(ids) == length
    seen: list[int] = []
    for number, window in enumerate(windows(ids)):
        assert len(window.inputs) <= WINDOW
        assert len(window.inputs) - window.first == len(window.targets)
        context = [START_ID, *ids] if number == 0 else ids[len(seen) - OVERLAP :]
        assert window.inputs == context[: len(window.inputs)]
        seen += window.targets
    assert seen == ids
