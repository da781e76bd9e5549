"""What flavours, and ways to choose scales, cost: bits per token of the tiny model, quantised in each of them. Owns figures, not limits.

The training saw the linear layers through the 4-bit grid, so that a scale of least squared error finds their weights again, to the bit, and
a comparison would say nothing of other models. So the network is rotated first: every vector between the layers is turned by one random
orthogonal matrix, which the weights that write and read it take in. What it computes stays the same, and its weights lie on no grid.
"""

import dataclasses
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from llmzip.quantize import PRESETS, Checkpoint, ExportedGraph, NbitsSettings, quantized_flavours, serialised
from llmzip.quantize.checkpoint import linear_shapes
from llmzip.quantize.exact.decoder import Provenance, build_exact_graph
from llmzip.quantize.export.own import export_own
from llmzip.quantize.nbits.scales import quantize

from .files import write_whole
from .inference import OnnxModel, coded_bits

TEXT = "mixed-100k.txt"
PROSE = "prose-45k.txt"
_READ_BY = {
    "self_attn.q_proj": "input_layernorm",
    "self_attn.k_proj": "input_layernorm",
    "self_attn.v_proj": "input_layernorm",
    "mlp.gate_proj": "post_attention_layernorm",
    "mlp.up_proj": "post_attention_layernorm",
}

Float = npt.NDArray[np.float32]
_UNRECORDED = "0" * 64
"""In the place of a SHA-256: the rotated weights are in no file."""


class Rotated(Checkpoint):
    """A checkpoint that computes what the folder's does, with weights on no grid and a head of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.config = dataclasses.replace(self.config, tie_word_embeddings=False)
        size = self.config.hidden_size
        self._turn: npt.NDArray[np.float64] = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))[0]

    def embedding(self) -> Float:
        """The token embedding, [vocab, hidden]."""
        return (super().embedding() @ self._turn).astype(np.float32)

    def head(self) -> Float:
        """The head, [vocab, hidden]: the embedding, with the last norm's weight in it."""
        return (super().embedding() * super().norm("norm") @ self._turn).astype(np.float32)

    def norm(self, name: str) -> Float:
        """The weight of a norm: ones, for the layers that read it have taken it over."""
        return np.ones_like(super().norm(name))

    def linear(self, layer: int, name: str) -> Float:
        """The weight of a linear layer, [out, in]."""
        weight = super().linear(layer, name).astype(np.float64)
        if name in _READ_BY:
            return (weight * super().norm(f"layers.{layer}.{_READ_BY[name]}") @ self._turn).astype(np.float32)
        return (self._turn.T @ weight).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one way costs, in bits per token of the text, with the embedding kept and quantised; and the root mean square error of its
    weights, in that of the weights.
    """

    settings: NbitsSettings
    kept: float
    quantized: float
    error: float


def flavour_costs(folder: Path) -> Iterator[tuple[str, float, dict[str, float]]]:
    """For each text, bits per token of the float graph and of each flavour with its default settings."""
    weights = Rotated(folder)
    graph = export_own(weights)
    content = {"exact": build_exact_graph(weights, Provenance(weights.path.name, _UNRECORDED))}
    content |= {name: serialised(model) for name, model in quantized_flavours(graph, PRESETS["llmzip"]).items()}
    for text in (PROSE, TEXT):
        ids = _token_ids(folder, text)
        plain = _bits_per_token(serialised(graph.model), ids)
        yield text, plain, {name: _bits_per_token(each, ids) for name, each in content.items()}


def costs(folder: Path) -> tuple[float, Iterator[Cost]]:
    """Bits per token of the float graph, and the cost of each way; activations are float32 throughout."""
    ids = _token_ids(folder, TEXT)
    weights = Rotated(folder)
    graph = export_own(weights)
    return _bits_per_token(serialised(graph.model), ids), (_cost(weights, graph, each, ids) for each in ways())


def ways() -> Iterator[NbitsSettings]:
    """Every combination of group size, scale and zero points."""
    for group, symmetric in itertools.product((16, 32), (True, False)):
        yield NbitsSettings(4, group, group, "max-abs", symmetric)
        yield NbitsSettings(4, group, group, "least-squares", symmetric)


def _cost(weights: Rotated, graph: ExportedGraph, settings: NbitsSettings, ids: list[int]) -> Cost:
    kept = serialised(quantized_flavours(graph, dataclasses.replace(settings, embedding_group=None), ["q4"])["q4"])
    quantized = serialised(quantized_flavours(graph, settings, ["q4"])["q4"])
    return Cost(settings, _bits_per_token(kept, ids), _bits_per_token(quantized, ids), _error(weights, settings))


def _error(weights: Rotated, settings: NbitsSettings) -> float:
    wrong = whole = 0.0
    for layer in range(weights.config.num_hidden_layers):
        for name in linear_shapes(weights.config):
            weight = weights.linear(layer, name)
            blocks = quantize(weight, settings.matmul_group, 4, settings.scale, symmetric=settings.symmetric)
            wrong += float(np.square(blocks.dequantized() - weight, dtype=np.float64).sum())
            whole += float(np.square(weight, dtype=np.float64).sum())
    return float(np.sqrt(wrong / whole))


def _token_ids(folder: Path, text: str) -> list[int]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    content = (folder / "samples" / text).read_text(encoding="utf-8")
    return list(tokenizer.encode(content, add_special_tokens=False).ids)


def _bits_per_token(content: bytes, ids: list[int]) -> float:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        write_whole(path, content)
        return float(coded_bits(ids, OnnxModel(path)).mean())


def scales_text(folder: Path) -> str:
    """Tables of the costs, in Markdown."""
    lines = ["| text | checkpoint, float32 | exact | q4f16 | q4 |", "|---|---|---|---|---|"]
    for text, plain, of_flavour in flavour_costs(folder):
        cells = [f"{of_flavour[name]:.4f} ({of_flavour[name] / plain - 1:+.3%})" for name in ("exact", "q4f16", "q4")]
        lines.append(f"| {' | '.join([text, f'{plain:.4f}', *cells])} |")
    plain, found = costs(folder)
    lines += [
        "",
        f"{TEXT}, float weights: {plain:.4f} bits per token",
        "",
        "| group | zero points | scale | error of the weights | linear layers | embedding too |",
        "|---|---|---|---|---|---|",
    ]
    for cost in found:
        points = "symmetric" if cost.settings.symmetric else "asymmetric"
        what = f"| {cost.settings.matmul_group} | {points} | {cost.settings.scale} | {cost.error:.2%} |"
        lines.append(f"{what} +{cost.kept - plain:.4f} | +{cost.quantized - plain:.4f} |")
    return "\n".join(lines) + "\n"
