"""Makes a stand-in's folder for measurements: `stand_in.py FOLDER TOKENIZER_FOLDER`. Owns which graphs it holds.

The tokenizer is not used by what is measured; any will do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from llmzip.quantize import FLAVOURS, Checkpoint, quantized_flavours, serialised
from llmzip.quantize.exact import FILE_NAME as EXACT_FILE
from llmzip.quantize.exact import export_exact
from llmzip.quantize.export.own import export_own
from llmzip.quantize.standin import make_checkpoint, stand_in

NAME = "smollm2-135m"
SEED = 0


def main() -> None:
    """Write the checkpoint and `onnx/model_{exact,q4f16,q4}.onnx`, unless all of it is there."""
    folder, tokenizer = map(Path, sys.argv[1:])
    done = folder / "complete"
    if done.exists():
        return
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").unlink(missing_ok=True)
    chosen = stand_in(NAME)
    make_checkpoint(chosen, folder, SEED, tokenizer)
    for name, model in quantized_flavours(export_own(Checkpoint(folder)), chosen.settings).items():
        (folder / "onnx" / FLAVOURS[name].file_name).write_bytes(serialised(model))
    (folder / "onnx" / EXACT_FILE).write_bytes(export_exact(folder).content)
    done.touch()


if __name__ == "__main__":
    main()
