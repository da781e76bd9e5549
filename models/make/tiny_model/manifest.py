"""Writes models/manifest.toml. Owns the entries of the two models that the project ships or names, and their files' bytes and SHA-256.

Entries that `llmzip quantize` added stay as they are.
"""

import hashlib

from llmzip.model.manifest import VERSION, read_manifest
from llmzip.quantize import EXACT, FLAVOURS
from llmzip.quantize.manifest import FileEntry, Origin, entry, split

from .files import write_whole
from .paths import MANIFEST, MODELS
from .shape import OVERLAP, START_ID, WINDOW

_HEAD = """\
# The models that this project knows, and every file of theirs. Written by `models/make/run`; see models/make/README.md.
#
# Paths are relative to `folder`, which is relative to this file. `eps` is a default of the container
# (the largest difference of a log-prob that it withstands) and a string, so that no reader rounds it.
# A file whose `sha256` is "unknown" is known by name only; `llmzip models fetch --accept-unknown` records it here.

version = 1
"""

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

_SMOLLM2 = "smollm2-135m-instruct"
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
    ("onnx/model_int8.onnx", 137147867, "a7c33f9ef85d06734cc9d1f943f7e2ba57c77e769df727f4d3e217d9f672b0cc"),
    # Of these nobody has published a SHA-256. Whoever fetches one records it in the manifest, where it is kept.
    ("onnx/model.onnx", 540345794, None),
    ("onnx/model_fp16.onnx", 270267067, None),
)


def _tiny() -> str:
    # What a graph was made from: the chain of hashes back to the weights.
    made_of = (_CHECKPOINT, hashlib.sha256((MODELS / "tiny" / _CHECKPOINT).read_bytes()).hexdigest())
    files = []
    for name in _TINY_FILES:
        raw = (MODELS / "tiny" / name).read_bytes()
        source = made_of if name.startswith("onnx/") else (None, None)
        files.append(FileEntry(name, len(raw), hashlib.sha256(raw).hexdigest(), *source))
    origin = Origin("made here", "MIT OR Apache-2.0", WINDOW, OVERLAP, START_ID)
    return entry("tiny", origin, [EXACT, *FLAVOURS.values()], files)


def _smollm2(recorded: dict[str, str]) -> str:
    """The entry of the real model. `recorded` are the SHA-256s that the manifest has by now of files whose own is not known here."""
    source = f"https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct/resolve/{_SMOLLM2_REVISION}"
    origin = Origin(source, "Apache-2.0", WINDOW, OVERLAP, START_ID, _SMOLLM2_REVISION)
    files = [FileEntry(path, size, sha256 or recorded.get(path)) for path, size, sha256 in _SMOLLM2_FILES]
    return entry(_SMOLLM2, origin, FLAVOURS.values(), files)


def manifest_text() -> str:
    """The manifest for the files that lie in `models` now."""
    there = MANIFEST.read_text(encoding="utf-8") if MANIFEST.is_file() else f"version = {VERSION}\n"
    recorded = next((model.sha256 for _, model in read_manifest(there) if model.name == _SMOLLM2), {})
    own = {"tiny": _tiny(), _SMOLLM2: _smollm2(recorded)}
    others = split(there)[1]
    entries = [*own.values(), *(text for name, text in others.items() if name not in own)]
    return "\n".join([_HEAD, *entries])


def write_manifest() -> None:
    """Write models/manifest.toml."""
    write_whole(MANIFEST, manifest_text().encode("utf-8"))
