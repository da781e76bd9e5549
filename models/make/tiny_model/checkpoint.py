"""Writes the trained weights and their configs as a Hugging Face checkpoint. Owns model.safetensors.

Linear weights are put on the 4-bit grid, where they are exact in float16; embedding and norms are
rounded to float16. Both ONNX files derive from this file alone.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from .files import write_json
from .grid import snap
from .network import Linear, Llama
from .shape import BOS_ID, EOS_ID, TINY_SHAPE


def write_checkpoint(model: Llama, folder: Path) -> None:
    """Write config.json, generation_config.json and model.safetensors into `folder`."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, Linear):
                module.weight.copy_(snap(module.weight))
    halves = {name: value.to(torch.float16).contiguous() for name, value in model.state_dict().items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", _config())
    ids = {"bos_token_id": BOS_ID, "eos_token_id": EOS_ID, "pad_token_id": EOS_ID}
    write_json(folder / "generation_config.json", {"_from_model_config": True, **ids})


def _config() -> dict[str, object]:
    shape = TINY_SHAPE
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": BOS_ID,
        "eos_token_id": EOS_ID,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "max_position_embeddings": shape.positions,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "pad_token_id": EOS_ID,
        "rms_norm_eps": shape.rms_eps,
        "rope_interleaved": False,
        "rope_scaling": None,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}},
        "use_cache": True,
        "vocab_size": shape.vocab,
    }
