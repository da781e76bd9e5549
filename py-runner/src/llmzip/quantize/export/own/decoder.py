"""The float graph of a Llama decoder with a KV cache. Owns the order of nodes and the graph's signature.

Inputs are input_ids and position_ids [batch, sequence], attention_mask [batch, total], all int64, and
per layer past_key_values.N.key and .value [batch, kv_heads, past, head_dim]. Outputs are logits
[batch, sequence, vocab], present.N.key and .value. All floats are float32; batch, sequence and past
are dynamic.
"""

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from llmzip.quantize.checkpoint import Weights
from llmzip.quantize.config import Family
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.exported import ExportedGraph
from llmzip.quantize.graph import GraphWriter
from llmzip.quantize.rotary import rotary_tables

_MICROSOFT = "com.microsoft"


def export_own(weights: Weights) -> ExportedGraph:
    """Return the float graph. Raises QuantizeError for a decoder that is not Llama's."""
    config = weights.config
    if config.family != Family() or config.sliding_window is not None:
        what = config.model_type if config.sliding_window is None else f"{config.model_type} with a sliding window"
        raise QuantizeError(
            f"the own exporter builds no graph of {what}", "build its exact graph, or use another exporter"
        )
    rotary = dict(zip(("cos_cache", "sin_cache"), rotary_tables(config), strict=True))
    return ExportedGraph(_Decoder(weights, rotary).build(), "fp32", rotary)


class _Decoder:
    def __init__(self, weights: Weights, rotary: dict[str, npt.NDArray[np.float64]]) -> None:
        self._weights = weights
        self._config = weights.config
        self._graph = GraphWriter()
        self._rotary = rotary

    def build(self) -> onnx.ModelProto:
        graph, config = self._graph, self._config
        ids = graph.input("input_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
        mask = graph.input("attention_mask", TensorProto.INT64, ["batch_size", "total_sequence_length"])
        positions = graph.input("position_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
        for layer in range(config.num_hidden_layers):
            for part in ("key", "value"):
                shape = self._cache_shape("past_sequence_length")
                graph.input(f"past_key_values.{layer}.{part}", TensorProto.FLOAT, shape)
        logits_shape: list[int | str] = ["batch_size", "sequence_length", config.vocab_size]
        graph.output("logits", TensorProto.FLOAT, logits_shape)
        for layer in range(config.num_hidden_layers):
            for part in ("key", "value"):
                shape = self._cache_shape("total_sequence_length")
                graph.output(f"present.{layer}.{part}", TensorProto.FLOAT, shape)

        lengths = self._lengths(mask)
        embedding = self._float("model.embed_tokens.weight", self._weights.embedding())
        residual = graph.node("Gather", "/model/embed_tokens/Gather", [embedding, ids])
        update: str | None = None
        for layer in range(config.num_hidden_layers):
            residual, x = self._norm(f"layers.{layer}.input_layernorm", residual, update)
            update = self._attention(layer, x, positions, lengths)
            residual, x = self._norm(f"layers.{layer}.post_attention_layernorm", residual, update)
            update = self._mlp(layer, x)
        _, x = self._norm("norm", residual, update)
        self._head(x, embedding)
        return graph.model("llama", "llmzip")

    def _cache_shape(self, length: str) -> list[int | str]:
        return ["batch_size", self._config.num_key_value_heads, length, self._config.head_dim]

    def _float(self, name: str, value: npt.NDArray[np.floating]) -> str:
        return self._graph.constant(name, value.astype(np.float32))

    def _lengths(self, mask: str) -> list[str]:
        """Give per row the last valid index of the cache, and the length of the whole cache; both int32."""
        graph = self._graph
        one = graph.constant("constants.one", np.array([1], np.int64))
        at = "/model/attention_mask"
        total = graph.node("ReduceSum", f"{at}/ReduceSum", [mask, one], keepdims=0)
        last = graph.node("Sub", f"{at}/Sub", [total, one])
        seqlens = graph.node("Cast", f"{at}/seqlens_k/Cast", [last], to=TensorProto.INT32)
        shape = graph.node("Shape", f"{at}/Shape", [mask])
        index = graph.constant("constants.axis", np.array(1, np.int64))
        length = graph.node("Gather", f"{at}/Gather", [shape, index], axis=0)
        whole = graph.node("Cast", f"{at}/total_length/Cast", [length], to=TensorProto.INT32)
        return [seqlens, whole]

    def _norm(self, name: str, residual: str, update: str | None) -> tuple[str, str]:
        """Add a norm; give the new residual and its normalised value; without an update the residual stays."""
        graph = self._graph
        weight = self._float(f"model.{name}.weight", self._weights.norm(name))
        at = "/model/" + name.replace(".", "/")
        epsilon = self._config.rms_norm_eps
        if update is None:
            op = "SimplifiedLayerNormalization"
            x = graph.node(op, f"{at}/Norm", [residual, weight], axis=-1, epsilon=epsilon, stash_type=1)
            return residual, x
        outputs = [f"{at}/Norm/output", "", "", f"{at}/Norm/residual"]
        if name == "norm":
            outputs = outputs[:1]
        inputs = [residual, update, weight]
        op = "SkipSimplifiedLayerNormalization"
        x = graph.node(op, f"{at}/Norm", inputs, outputs, _MICROSOFT, epsilon=epsilon)
        return outputs[-1], x

    def _product(self, name: str, weight: npt.NDArray[np.float32], x: str, at: str) -> str:
        matrix = self._graph.constant(f"{name}.weight", weight.T)
        return self._graph.node("MatMul", f"{at}/MatMul", [x, matrix])

    def _linear(self, layer: int, name: str, x: str) -> str:
        weight = self._weights.linear(layer, name)
        at = f"/model/layers.{layer}/{name.replace('.', '/')}"
        return self._product(f"model.layers.{layer}.{name}", weight, x, at)

    def _attention(self, layer: int, x: str, positions: str, lengths: list[str]) -> str:
        graph, config = self._graph, self._config
        tables = [self._float(name, table) for name, table in self._rotary.items()]
        at = f"/model/layers.{layer}/self_attn"
        q = self._linear(layer, "self_attn.q_proj", x)
        k = self._linear(layer, "self_attn.k_proj", x)
        v = self._linear(layer, "self_attn.v_proj", x)
        rotated = [
            graph.node(
                "RotaryEmbedding",
                f"{at}/{part}_rotary/RotaryEmbedding",
                [value, positions, *tables],
                domain=_MICROSOFT,
                interleaved=0,
            )
            for part, value in (("q", q), ("k", k))
        ]
        cache = [f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"]
        attended = graph.node(
            "GroupQueryAttention",
            f"{at}/GroupQueryAttention",
            [*rotated, v, *cache, *lengths],
            [f"{at}/GroupQueryAttention/output", f"present.{layer}.key", f"present.{layer}.value"],
            _MICROSOFT,
            num_heads=config.num_attention_heads,
            kv_num_heads=config.num_key_value_heads,
            scale=config.head_dim**-0.5,
            do_rotary=0,
        )
        return self._linear(layer, "self_attn.o_proj", attended)

    def _mlp(self, layer: int, x: str) -> str:
        graph = self._graph
        at = f"/model/layers.{layer}/mlp"
        gate = self._linear(layer, "mlp.gate_proj", x)
        up = self._linear(layer, "mlp.up_proj", x)
        sigmoid = graph.node("Sigmoid", f"{at}/Sigmoid", [gate])
        silu = graph.node("Mul", f"{at}/silu/Mul", [gate, sigmoid])
        return self._linear(layer, "mlp.down_proj", graph.node("Mul", f"{at}/Mul", [silu, up]))

    def _head(self, x: str, embedding: str) -> None:
        graph, head = self._graph, self._weights.head()
        if head is None:
            turned = graph.node("Transpose", "/lm_head/Transpose", [embedding], perm=[1, 0])
            logits = graph.node("MatMul", "/lm_head/MatMul", [x, turned])
        else:
            logits = self._product("lm_head", head, x, "/lm_head")
        # An identity here; where activations become float16 it keeps the logits float32, so that one shape of graph serves all.
        graph.node("Cast", "/lm_head/Cast", [logits], ["logits"], to=TensorProto.FLOAT)
