"""Makes a stand-in's folder for measurements: `stand_in.py FOLDER TOKENIZER_FOLDER`. Owns which graphs it holds.

The tokenizer is not used by what is measured; any will do.
"""

from __future__ import annotations

import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

import llmzip
from llmzip.quantize import FLAVOURS, Checkpoint, quantized_flavours, serialised
from llmzip.quantize.exact import FILE_NAME as EXACT_FILE
from llmzip.quantize.exact import export_exact
from llmzip.quantize.export.own import export_own
from llmzip.quantize.standin import make_checkpoint, stand_in

NAME = "smollm2-135m"
SEED = 0


# What the graphs' bytes follow from, beside this file: folders of the package, and other packages.
MAKERS = ("quantize", "exact")
PACKAGES = ("numpy", "onnx")


def key(package: Path) -> str:
    """A hash of the sources, and of the versions of the packages, that make the stand-in: with other ones it is made anew."""
    digest = hashlib.sha256()
    sources = [Path(__file__), *(path for maker in MAKERS for path in sorted((package / maker).rglob("*.py")))]
    for source in sources:
        name = source.relative_to(package).as_posix() if source.is_relative_to(package) else source.name
        digest.update(f"{name} {hashlib.sha256(source.read_bytes()).hexdigest()}\n".encode())
    for name in PACKAGES:
        digest.update(f"{name} {version(name)}\n".encode())
    return digest.hexdigest()


def main() -> None:
    """Write the checkpoint and `onnx/model_{exact,q4f16,q4}.onnx`, unless all of it is there and these sources made it."""
    folder, tokenizer = map(Path, sys.argv[1:])
    done, made_by = folder / "complete", key(Path(llmzip.__path__[0]))
    if done.is_file() and done.read_text(encoding="ascii") == made_by:
        return
    # First, so that what is left half made by an end in between is not taken for whole.
    done.unlink(missing_ok=True)
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").unlink(missing_ok=True)
    chosen = stand_in(NAME)
    make_checkpoint(chosen, folder, SEED, tokenizer)
    for name, model in quantized_flavours(export_own(Checkpoint(folder)), chosen.settings).items():
        (folder / "onnx" / FLAVOURS[name].file_name).write_bytes(serialised(model))
    (folder / "onnx" / EXACT_FILE).write_bytes(export_exact(folder).content)
    done.write_text(made_by, encoding="ascii")


if __name__ == "__main__":
    main()
