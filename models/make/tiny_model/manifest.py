"""Writes models/manifest.toml: each model, its files with bytes and SHA-256. Owns that one file."""

import hashlib
from pathlib import Path

from .files import write_whole
from .paths import MANIFEST, MODELS
from .shape import OVERLAP, START_ID, WINDOW

_HEAD = """\
# The models that this project knows, and every file of theirs. Written by `models/make/run`; see models/make/README.md.
#
# Paths are relative to `folder`, which is relative to this file. `eps` is a default of the container
# (the largest difference of a log-prob that it withstands) and a string, so that no reader rounds it.
# A file without `sha256` or `bytes` is known by name only.

version = 1
"""

_EXACT = {"exact": ("exact", "0")}
_VARIANTS = {"q4f16": ("float16", "2e-2"), "q4": ("float32", "5e-5")}

_TINY_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "model.safetensors",
    "onnx/model_exact.onnx",
    "onnx/model_q4f16.onnx",
    "onnx/model_q4.onnx",
)
_CHECKPOINT = "model.safetensors"

_SMOLLM2_REVISION = "12fd25f77366fa6b3b4b768ec3050bf629380bac"
_SMOLLM2_FILES: tuple[tuple[str, int, str | None], ...] = (
    ("config.json", 861, "8eb740e8bbe4cff95ea7b4588d17a2432deb16e8075bc5828ff7ba9be94d982a"),
    ("generation_config.json", 132, "87b916edaaab66b3899b9d0dd0752727dff6666686da0504d89ae0a6e055a013"),
    ("tokenizer.json", 2104556, "9ca9acddb6525a194ec8ac7a87f24fbba7232a9a15ffa1af0c1224fcd888e47c"),
    ("tokenizer_config.json", 3764, "4ec77d44f62efeb38d7e044a1db318f6a939438425312dfa333b8382dbad98df"),
    ("special_tokens_map.json", 655, "2b7379f3ae813529281a5c602bc5a11c1d4e0a99107aaa597fe936c1e813ca52"),
    ("model.safetensors", 269060552, "5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c"),
    ("onnx/model_q4f16.onnx", 117691126, "9358cd4ce037c304621f8c194a525607ae7c5ea73239fcae4c21bd02f2e34ff7"),
    ("onnx/model_q4.onnx", 182068553, "933577110303a2964096d19b6f15d3b4639bef7f99481ac0b61d9f3ad72f392a"),
)


def _model(name: str, source: str, licence: str, revision: str | None) -> list[str]:
    lines = ["", "[[model]]", f'name = "{name}"', f'folder = "{name}"', f'source = "{source}"']
    if revision:
        lines.append(f'revision = "{revision}"')
    lines += [f'licence = "{licence}"', 'tokenizer = "tokenizer.json"', f"window = {WINDOW}"]
    return [*lines, f"overlap = {OVERLAP}", f"start_token = {START_ID}"]


def _variants(variants: dict[str, tuple[str, str]]) -> list[str]:
    lines: list[str] = []
    for dtype, (activation, eps) in variants.items():
        lines += ["", "[[model.variant]]", f'dtype = "{dtype}"', f'file = "onnx/model_{dtype}.onnx"']
        lines += [f'activation = "{activation}"', f'eps = "{eps}"']
    return lines


def _file(path: str, size: int, digest: str | None) -> list[str]:
    lines = ["", "[[model.file]]", f'path = "{path}"', f"bytes = {size}"]
    return [*lines, f'sha256 = "{digest}"'] if digest else lines


def manifest_text(models: Path = MODELS) -> str:
    """The manifest for the files that lie in `models` now."""
    lines = _model("tiny", "made here", "MIT OR Apache-2.0", None) + _variants(_EXACT | _VARIANTS)
    for name in _TINY_FILES:
        raw = (models / "tiny" / name).read_bytes()
        lines += _file(name, len(raw), hashlib.sha256(raw).hexdigest())
        if name.startswith("onnx/"):
            # What the graph was made from: the chain of hashes back to the weights.
            source = (models / "tiny" / _CHECKPOINT).read_bytes()
            lines += [f'source = "{_CHECKPOINT}"', f'source_sha256 = "{hashlib.sha256(source).hexdigest()}"']
    source = f"https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct/resolve/{_SMOLLM2_REVISION}"
    lines += _model("smollm2-135m-instruct", source, "Apache-2.0", _SMOLLM2_REVISION) + _variants(_VARIANTS)
    for path, size, digest in _SMOLLM2_FILES:
        lines += _file(path, size, digest)
    return _HEAD + "\n".join(lines) + "\n"


def write_manifest() -> None:
    """Write models/manifest.toml."""
    write_whole(MANIFEST, manifest_text().encode("utf-8"))
