"""The exact graph of a decoder. Owns the order of its parts and the graph's signature.

Inputs are input_ids and position_ids [batch, sequence], attention_mask [batch, total], all int64, and the cache of `attention`. Outputs are
logits [batch, sequence, vocab] as float32 and the cache. Batch, sequence and past are dynamic.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from llmzip.model.exactness import RULES_VERSION
from llmzip.quantize.checkpoint import Weights
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.graph import GraphWriter
from llmzip.quantize.rotary import rotary_tables

from .attention import Attention, declare_caches, mask, query_factor
from .declare import declare_shapes
from .exponential import exponential, root_scale
from .heads import Heads, rotation
from .operations import PEAK, ZERO_POINT, Normalization, OneByte, Operations, TwoBytes, normalization_unit
from .residual import ResidualBasis, RotatedWeights
from .weights import Int8Columns, quantize_columns

_LARGEST_FILE = 2**31 - 1
_EMBEDDING = "model.embed_tokens"
_SIGMOID_CEILING = 1.0
"""Of the factor in `exponential`: sigmoid(-26) is nearly 0, and the exponential stays far from overflow."""


@dataclass(frozen=True)
class Provenance:
    """The file that weights come from: its name and its SHA-256 in hex."""

    file: str
    sha256: str


def build_exact_graph(weights: Weights, source: Provenance) -> bytes:
    """Return the serialised ONNX model, with its source in the metadata. Raises QuantizeError if it cannot be built."""
    metadata = {
        "llmzip.exact": RULES_VERSION,
        "llmzip.source": source.file,
        "llmzip.source_sha256": source.sha256,
    }
    model = _Decoder(weights).build(metadata)
    if model.ByteSize() > _LARGEST_FILE:
        raise QuantizeError(
            f"the graph would have {model.ByteSize()} bytes, more than a single ONNX file may have",
            "choose a model of at most about two thousand million weights",
        )
    declare_shapes(model)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


class _Decoder:
    def __init__(self, weights: Weights) -> None:
        self._config = weights.config
        self._basis = ResidualBasis(self._config.hidden_size)
        self._weights = RotatedWeights(weights, self._basis)
        self._graph = GraphWriter()

    def build(self, metadata: dict[str, str]) -> onnx.ModelProto:
        graph, config = self._graph, self._config
        for name, length in (
            ("input_ids", "sequence"),
            ("attention_mask", "total_sequence"),
            ("position_ids", "sequence"),
        ):
            graph.input(name, TensorProto.INT64, ["batch_size", f"{length}_length"])
        graph.output("logits", TensorProto.FLOAT, ["batch_size", "sequence_length", config.vocab_size])
        declare_caches(graph, config)
        cos, sin = (table.astype(np.float32) for table in rotary_tables(config))
        turn, bias = rotation(graph, config, {"cos": cos, "sin": sin}), mask(graph, config)
        embedding = quantize_columns(self._weights.embedding())
        residual = self._embed(embedding)
        for layer in range(config.num_hidden_layers):
            ops = Operations(graph, f"/model/layers.{layer}")
            x = ops.one_byte(residual)
            norm = self._norm(ops, x)
            heads = Heads(graph, self._weights, layer, turn, query_factor(config)).build(x, norm)
            mixed = ops.one_byte(Attention(graph, config, layer, bias).build(*heads))
            output = quantize_columns(self._weights.writing(layer, "self_attn.o_proj")).times(1 / ZERO_POINT)
            product = ops.product(mixed, f"model.layers.{layer}.self_attn.o_proj", output)
            residual = ops.node("Add", residual, ops.node("Mul", product, mixed.peak))
            residual = self._mlp(Operations(graph, f"/model/layers.{layer}/mlp"), layer, residual)
        self._head(residual, embedding)
        return graph.model(f"{config.model_type}_exact", "llmzip", metadata)

    def _embed(self, embedding: Int8Columns) -> str:
        """Rows of the embedding; the head's matrix is the same one, transposed when the graph is loaded."""
        ops = Operations(self._graph, "/model/embed_tokens")
        matrix = self._graph.constant(f"{_EMBEDDING}.rows", np.ascontiguousarray(embedding.values.T))
        scales = self._graph.constant(f"{_EMBEDDING}.scales", embedding.scales)
        rows = ops.node("Cast", ops.node("Gather", matrix, "input_ids", axis=0), to=TensorProto.FLOAT)
        return ops.node(
            "Mul", rows, ops.node("Unsqueeze", ops.node("Gather", scales, "input_ids", axis=0), ops.integers(-1))
        )

    def _mlp(self, ops: Operations, layer: int, residual: str) -> str:
        config, at = self._config, f"model.layers.{layer}.mlp"
        x = ops.one_byte(residual)
        norm = self._norm(ops, x)
        both = self._weights.reading(layer, "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj")
        unit = normalization_unit(config.hidden_size)
        inner = config.intermediate_size
        # Constant factors are those of columns: they cost nothing there.
        factors = np.concatenate((np.full(inner, -root_scale() / unit), np.ones(inner)))
        product = ops.product(x, f"{at}.gate_up_proj", quantize_columns(both).times(factors))
        gate, up = ops.split(product, -1, inner, inner)
        # gate * sigmoid(gate) * up, where sigmoid(x) = 1 / (1 + exp(-x)).
        root = ops.node("Mul", gate, norm.factor)
        twice_sigmoid = ops.reciprocal(
            ops.node("Add", exponential(ops, root, ceiling=_SIGMOID_CEILING), ops.number(1.0)), 2.0
        )
        hidden = ops.two_bytes(ops.node("Mul", ops.node("Mul", root, twice_sigmoid), up))
        down = quantize_columns(self._weights.writing(layer, "mlp.down_proj"))
        product = ops.product(hidden, f"{at}.down_proj", down.times(-0.5 / (root_scale() * unit * PEAK)))
        return ops.node("Add", residual, ops.node("Mul", product, ops.node("Mul", hidden.peak, norm.factor)))

    def _norm(self, ops: Operations, x: OneByte | TwoBytes) -> Normalization:
        """Of a row of the residual."""
        return ops.normalization(x, self._config.hidden_size, self._config.rms_norm_eps)

    def _head(self, residual: str, embedding: Int8Columns) -> None:
        ops, config = Operations(self._graph, "/lm_head"), self._config
        unit = normalization_unit(config.hidden_size)
        head = self._weights.head()
        if head is None:
            plain = ops.two_bytes(residual)
            x, of_last_norm = self._last_norm(ops, plain)
            product = ops.product(x, _EMBEDDING, embedding, ops.transpose(f"{_EMBEDDING}.rows", 1, 0))
            scale = ops.node("Mul", of_last_norm, self._norm(ops, plain).factor)
        else:
            x = ops.one_byte(residual)
            product = ops.product(x, "lm_head", quantize_columns(head).times(1 / unit))
            scale = self._norm(ops, x).factor
        self._graph.node("Mul", "/lm_head/logits", [product, scale], ["logits"])

    def _last_norm(self, ops: Operations, plain: TwoBytes) -> tuple[OneByte, str]:
        """The integers of `plain` times the last norm's weight, and what turns products with them into those, [.., 1].

        A head that is the embedding has its int8 matrix too, so that the weight cannot be worked into it: the row goes back to
        the basis that the weight is in, is multiplied, and returns.
        """
        basis = self._basis
        matrix = self._graph.constant("model.residual.basis", basis.matrix)
        weight = self._graph.constant("model.norm.weight", self._weights.last_norm())
        back = ops.integer_product(plain, ops.transpose(matrix, 1, 0), basis.order)
        normed = ops.two_bytes(ops.node("Mul", back, weight))
        x = ops.one_byte(ops.integer_product(normed, matrix, basis.order))
        unit = normalization_unit(self._config.hidden_size)
        scale = ops.scaled(ops.node("Mul", x.peak, normed.peak), 1 / (ZERO_POINT * PEAK * unit * basis.order))
        return x, scale
