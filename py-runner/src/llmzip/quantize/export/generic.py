"""The generic exporter: optimum-onnx, in an environment of its own with transformers 4. Owns how it is called and what it can do.

Its graphs are transformers' own modules, traced: plain operators, with position_ids where the model takes them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from llmzip.errors import IoError
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.source import CONFIG, SHARDS, CheckpointFolder

from .environment import prepare
from .process import Talk, run

FAMILIES = frozenset(
    {
        "arcee",
        "bloom",
        "codegen",
        "cohere",
        "falcon",
        "gemma",
        "gemma2",
        "gemma3_text",
        "glm",
        "gpt2",
        "gpt_bigcode",
        "gpt_neo",
        "gpt_neox",
        "gptj",
        "granite",
        "helium",
        "llama",
        "mistral",
        "mpt",
        "nemotron",
        "olmo",
        "olmo2",
        "opt",
        "phi",
        "phi3",
        "qwen2",
        "qwen3",
        "smollm3",
        "stablelm",
    }
)
"""The decoders for texts that optimum-onnx 0.1.0 knows, of those that keep a plain cache."""

_CHILD = Path(__file__).with_name("generic_child.py")


def why_not(source: CheckpointFolder) -> str | None:
    """Why this exporter cannot do a checkpoint, or None where it can."""
    return None if source.family in FAMILIES else f"it does not know the family {source.family}"


def export(source: CheckpointFolder, out: Path, talk: Talk) -> Path:
    """Write the float32 graph and its weights into the folder `out`; its path. Raises QuantizeError, SetupError, IoError."""
    python = prepare("generic", talk)
    talk(f"exporting {source.architecture} with optimum-onnx")
    older = out.parent / "checkpoint"
    try:
        older.mkdir()
        (older / CONFIG).write_text(json.dumps(for_transformers_4(source.config)), encoding="utf-8")
        for name in source.weights + ((SHARDS,) if len(source.weights) > 1 else ()):
            _link(source.folder.resolve() / name, older / name)
    except OSError as error:
        raise IoError.writing(older, error) from error
    run([python, _CHILD, older, out], "the generic exporter", out.parent / "generic.log", QuantizeError, talk)
    return out / "model.onnx"


def for_transformers_4(config: dict[str, Any]) -> dict[str, Any]:
    """`config.json` as transformers 4 reads it. What 5 keeps in rope_parameters it would pass over, and take its defaults for."""
    old = dict(config)
    rope = old.pop("rope_parameters", None)
    if not isinstance(rope, dict):
        return old
    if "full_attention" in rope:
        old["rope_local_base_freq"] = (rope.get("sliding_attention") or {}).get("rope_theta", 10000.0)
        rope = rope["full_attention"]
    neox = old.get("model_type") == "gpt_neox"
    names = {
        "rope_theta": "rotary_emb_base" if neox else "rope_theta",
        "partial_rotary_factor": "rotary_pct" if neox else "partial_rotary_factor",
    }
    for name, older in names.items():
        if rope.get(name) is not None:
            old.setdefault(older, rope[name])
    if rope.get("rope_type", "default") != "default":
        old.setdefault("rope_scaling", {name: value for name, value in rope.items() if name not in names})
    return old


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source)
    except OSError:
        # Not every system lets everybody make links.
        shutil.copyfile(source, target)
