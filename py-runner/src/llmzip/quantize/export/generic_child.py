"""Run by the generic exporter's own Python, with a checkpoint folder and a folder to write to. Owns the call of optimum-onnx."""

from __future__ import annotations

import sys

from optimum.exporters.onnx import main_export

if __name__ == "__main__":
    checkpoint, out = sys.argv[1:]
    # Eager attention is the definition; others may leave out what a family adds to it, such as a cap of the scores.
    main_export(
        checkpoint,
        out,
        task="text-generation-with-past",
        do_validation=False,
        device="cpu",
        dtype="fp32",
        local_files_only=True,
        model_kwargs={"attn_implementation": "eager"},
    )
