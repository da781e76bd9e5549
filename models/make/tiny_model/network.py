"""The Llama network in PyTorch, for training only. Owns the forward pass; the graph is built elsewhere.

Parameter names are those of Hugging Face's `LlamaForCausalLM`, so the state dictionary is the
checkpoint. Activations are bfloat16, the residual and the norms' sums float32 (see `activation`), which
halves the time on a CPU that knows bfloat16. Linear weights can be seen through the 4-bit grid (`quantized = True`), with the gradient
passed straight through, so that training gets used to the noise of quantisation.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .grid import snap
from .shape import Shape

_QUERIES = 256


def activation() -> torch.dtype:
    """The type of activations: bfloat16 under autocast, float32 without."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


class Linear(nn.Linear):
    """A linear layer without bias that can look at its weight through the 4-bit grid."""

    quantized = False

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.snapped: Tensor | None = None

    def refresh(self) -> None:
        """Recompute the weight on the grid; call after each step when `quantized`."""
        self.snapped = snap(self.weight.detach()) if self.quantized else None

    def seen(self) -> Tensor:
        """The weight as the network sees it, [out, in], of the activation type."""
        weight: Tensor = self.weight
        if self.snapped is not None:
            weight = weight + (self.snapped - weight).detach()
        return weight.to(activation())

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.seen())


class RMSNorm(nn.Module):
    """Root-mean-square normalisation with a weight, over the last axis."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.eps)
        return (x * scale).to(activation()) * self.weight.to(activation())


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, [batch, heads, length, dim] each.

    By blocks of queries, which skips half of the masked scores; with heads this small it takes half the
    time of PyTorch's own kernel on a CPU.
    """
    batch, heads, length, dim = q.shape
    q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
    rows: list[Tensor] = []
    for first in range(0, length, _QUERIES):
        end = min(length, first + _QUERIES)
        mask = torch.full((end - first, end), -torch.inf, dtype=q.dtype).triu(first + 1)
        scores = torch.baddbmm(mask[None], q[:, first:end], k[:, :end].transpose(1, 2), alpha=dim**-0.5)
        rows.append(torch.bmm(scores.softmax(dim=-1), v[:, :end]))
    return torch.cat(rows, dim=1).view(batch, heads, length, dim)


class Attention(nn.Module):
    """Grouped-query attention with rotary embedding, causal."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.q_proj = Linear(shape.hidden, shape.heads * shape.head_dim)
        self.k_proj = Linear(shape.hidden, shape.kv_heads * shape.head_dim)
        self.v_proj = Linear(shape.hidden, shape.kv_heads * shape.head_dim)
        self.o_proj = Linear(shape.heads * shape.head_dim, shape.hidden)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        dim = self.shape.head_dim
        heads, kv_heads = self.shape.heads, self.shape.kv_heads
        fused = torch.cat((self.q_proj.seen(), self.k_proj.seen(), self.v_proj.seen()))
        projected = functional.linear(x, fused).view(batch, length, -1, dim).transpose(1, 2)
        rotated = _rotate(projected[:, : heads + kv_heads], cos, sin)
        k = rotated[:, heads:].repeat_interleave(heads // kv_heads, dim=1)
        v = projected[:, heads + kv_heads :].repeat_interleave(heads // kv_heads, dim=1)
        y = _attend(rotated[:, :heads], k, v)
        out: Tensor = self.o_proj(y.transpose(1, 2).reshape(batch, length, -1))
        return out


class MLP(nn.Module):
    """The gated SiLU block."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = Linear(shape.hidden, shape.intermediate)
        self.up_proj = Linear(shape.hidden, shape.intermediate)
        self.down_proj = Linear(shape.intermediate, shape.hidden)

    def forward(self, x: Tensor) -> Tensor:
        fused = torch.cat((self.gate_proj.seen(), self.up_proj.seen()))
        gate, up = functional.linear(x, fused).chunk(2, dim=-1)
        out: Tensor = self.down_proj(functional.silu(gate) * up)
        return out


class Layer(nn.Module):
    """One decoder layer: attention and MLP, each behind a norm and around a residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden, shape.rms_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden, shape.rms_eps)
        self.mlp = MLP(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Decoder(nn.Module):
    """Embedding, layers, last norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.hidden, shape.rms_eps)


class Llama(nn.Module):
    """The language model with a tied head. `forward` gives logits [batch, sequence, vocab]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.model = Decoder(shape)
        half = shape.head_dim // 2
        rates = shape.rope_theta ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = torch.arange(shape.positions, dtype=torch.float64)[:, None] * rates[None, :]
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)
        self._start(shape)

    def _start(self, shape: Shape) -> None:
        deep = 1 / math.sqrt(2 * shape.layers)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                spread = 1 / math.sqrt(parameter.shape[1])
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    spread *= deep
                nn.init.normal_(parameter, std=min(spread, 0.05))

    def matrices(self) -> list[nn.Parameter]:
        """The weights of all linear layers."""
        return [parameter for linear in self.linears() for parameter in linear.parameters()]

    def linears(self) -> list[Linear]:
        """All layers whose weight is quantised in the ONNX files."""
        return [module for module in self.modules() if isinstance(module, Linear)]

    def quantize(self) -> None:
        """From now on see every linear weight through the 4-bit grid."""
        for linear in self.linears():
            linear.quantized = True
            linear.refresh()

    def refresh(self) -> None:
        """Recompute the grid weights after a step."""
        for linear in self.linears():
            if linear.quantized:
                linear.refresh()

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        cos: Tensor = self.get_buffer("cos")[:length]
        sin: Tensor = self.get_buffer("sin")[:length]
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, cos.to(activation()), sin.to(activation()))
        return functional.linear(self.model.norm(x), self.model.embed_tokens.weight)
