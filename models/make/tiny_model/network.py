"""The Llama network in PyTorch, for training only. Owns the forward pass; the graph is built elsewhere.

Parameter names are those of Hugging Face's `LlamaForCausalLM`, so the state dictionary is the
checkpoint. Linear weights can be seen through the 4-bit grid (`quantized = True`), with the gradient
passed straight through, so that training gets used to the noise of quantisation.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .grid import snap
from .shape import Shape


class Linear(nn.Linear):
    """A linear layer without bias that can look at its weight through the 4-bit grid."""

    quantized = False

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.snapped: Tensor | None = None

    def refresh(self) -> None:
        """Recompute the weight on the grid; call after each step when `quantized`."""
        self.snapped = snap(self.weight.detach()) if self.quantized else None

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.weight
        if self.snapped is not None:
            weight = weight + (self.snapped - weight).detach()
        return functional.linear(x, weight)


class RMSNorm(nn.Module):
    """Root-mean-square normalisation with a weight, over the last axis."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)


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
        q = self.q_proj(x).view(batch, length, -1, dim).transpose(1, 2)
        k = self.k_proj(x).view(batch, length, -1, dim).transpose(1, 2)
        v = self.v_proj(x).view(batch, length, -1, dim).transpose(1, 2)
        q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        groups = self.shape.heads // self.shape.kv_heads
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
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
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
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
            x = layer(x, cos.to(x.dtype), sin.to(x.dtype))
        return functional.linear(self.model.norm(x), self.model.embed_tokens.weight)
