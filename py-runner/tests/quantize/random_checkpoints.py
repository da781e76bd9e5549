"""Run by the Python that has PyTorch: tiny checkpoints with random weights, made of the families' configuration classes.

Usage: random_checkpoints.py TOKENIZER OUT NAME...  TOKENIZER is a folder with tokenizer.json; each name becomes a folder of OUT.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
import transformers

_SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
# What is not the default of the class is there to be seen when it is lost: bases of rotation, parts that are turned, sizes of heads.
_ROPE = {"rope_type": "default", "rope_theta": 500.0}
_FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", {"tie_word_embeddings": True, "rope_parameters": _ROPE}),
    "qwen3": ("Qwen3Config", {"head_dim": 32, "tie_word_embeddings": True}),
    "mistral": ("MistralConfig", {"head_dim": 16, "sliding_window": None}),
    "mistral-window": ("MistralConfig", {"head_dim": 16, "sliding_window": 8, "rope_parameters": _ROPE}),
    "gemma": ("GemmaConfig", {"head_dim": 32}),
    "gemma3": ("Gemma3TextConfig", {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16}),
    "phi": (
        "PhiConfig",
        {"num_key_value_heads": 4, "rope_parameters": {**_ROPE, "partial_rotary_factor": 0.25}},
    ),
    "gpt2": ("GPT2Config", {}),
    "gpt_neox": ("GPTNeoXConfig", {"rope_parameters": {**_ROPE, "partial_rotary_factor": 0.5}}),
    "mamba": ("MambaConfig", {}),
}
_GPT2 = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512, "bos_token_id": 0, "eos_token_id": 0}
_MAMBA = {"hidden_size": 64, "num_hidden_layers": 2, "state_size": 8}
_DEVIATION, _NORM_DEVIATION = 0.08, 0.05


def main(tokenizer: Path, out: Path, names: list[str]) -> None:
    """Write each checkpoint."""
    vocabulary = json.loads((tokenizer / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    for name in names:
        kind, own = _FAMILIES[name]
        shape = {"gpt2": _GPT2, "mamba": _MAMBA}.get(name, _SHAPE)
        config = getattr(transformers, kind)(**{"vocab_size": vocabulary, **shape, **own})
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                # Norms and biases start from ones and zeros, matrices from nothing.
                if parameter.ndim > 1:
                    parameter.copy_(noise * _DEVIATION)
                else:
                    parameter.add_(noise * _NORM_DEVIATION)
        model.save_pretrained(out / name)
        for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            shutil.copyfile(tokenizer / file, out / name / file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
