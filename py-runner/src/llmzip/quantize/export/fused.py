"""The fused exporter: onnxruntime-genai's model builder, in an environment of its own. Owns how it is called and what it can do.

Its graphs have GroupQueryAttention and no position_ids. It is asked for floats: quantising is the project's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.source import CheckpointFolder

from .environment import prepare
from .process import Talk, run

ARCHITECTURES = frozenset(
    {
        "Ernie4_5ForCausalLM",
        "Gemma2ForCausalLM",
        "GemmaForCausalLM",
        "GraniteForCausalLM",
        "HunYuanDenseV1ForCausalLM",
        "LlamaForCausalLM",
        "MistralForCausalLM",
        "NemotronForCausalLM",
        "OlmoForCausalLM",
        "Phi3ForCausalLM",
        "PhiForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen3ForCausalLM",
        "SmolLM3ForCausalLM",
    }
)
"""What the builder of onnxruntime-genai 0.18 has for texts alone, with a plain cache and for the CPU."""


def why_not(source: CheckpointFolder) -> str | None:
    """Why this exporter cannot do a checkpoint, or None where it can."""
    config = source.config
    if source.architecture not in ARCHITECTURES:
        return f"it has no builder for {source.architecture}"
    if source.family == "mistral" and _window(config) is not None:
        # It leaves the window out: log-probs of a random Mistral with a window of 8 were wrong by 3.8 (the generic one's by 1.6e-6).
        return "it leaves out the sliding window of Mistral"
    width = _rotary_width(config)
    if width is not None and width % 16:
        return f"the rotary part of a head has {width} values, no multiple of 16"
    return None


def export(source: CheckpointFolder, out: Path, talk: Talk) -> Path:
    """Write the float32 graph and its weights into the folder `out`; its path. Raises QuantizeError, SetupError, IoError."""
    python = prepare("fused", talk)
    talk(f"exporting {source.architecture} with the builder of onnxruntime-genai")
    builder = next(python.parents[1].glob("**/site-packages/onnxruntime_genai/models/builder.py"), None)
    if builder is None:
        raise QuantizeError(
            "the environment of the fused exporter has no builder", f"remove {python.parents[1]}; it is made anew"
        )
    # By its path: the package itself would load a library that is not needed here. A cache of the length of the past serves every
    # runtime; windows are left to the mask. A tied embedding is told by its values, whichever way the head has it.
    options = ["hf_token=false", "windowed_kv_cache=false", "shared_embeddings=false"]
    command: list[str | Path] = [
        python,
        builder,
        "-i",
        source.folder.resolve(),
        "-o",
        out,
        "-p",
        "fp32",
        "-e",
        "cpu",
        "-c",
        out.parent / "cache",
    ]
    run([*command, "--extra_options", *options], "the fused exporter", out.parent / "fused.log", QuantizeError, talk)
    return out / "model.onnx"


def _window(config: dict[str, Any]) -> int | None:
    window, positions = config.get("sliding_window"), config.get("max_position_embeddings")
    return window if isinstance(window, int) and not (isinstance(positions, int) and window >= positions) else None


def _rotary_width(config: dict[str, Any]) -> int | None:
    """How many values of a head are turned, or None where the config does not say."""
    try:
        head = int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
        rope = config.get("rope_parameters") or {}
        return int(head * float(config.get("partial_rotary_factor") or rope.get("partial_rotary_factor") or 1.0))
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError):
        return None
