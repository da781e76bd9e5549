"""Run by the Python that has PyTorch, with a checkpoint folder and a folder of windows. Owns the call of transformers.

Writes per window the logits, and every layer's keys and values as they are in the cache.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers


def main(checkpoint: str, folder: Path) -> None:
    """Run every window by itself, whole."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    ).eval()
    index = 0
    while (file := folder / f"ids-{index}.npy").is_file():
        ids = torch.from_numpy(np.load(file))[None]
        with torch.inference_mode():
            result = model(ids, use_cache=True)
        np.save(folder / f"logits-{index}.npy", result.logits[0].float().numpy())
        for layer, cache in enumerate(result.past_key_values.layers):
            np.save(folder / f"key-{index}-{layer}.npy", cache.keys[0].float().numpy())
            np.save(folder / f"value-{index}-{layer}.npy", cache.values[0].float().numpy())
        index += 1
    versions = {"transformers": transformers.__version__, "torch": torch.__version__.partition("+")[0]}
    (folder / "versions.json").write_text(json.dumps(versions), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
