"""Makes a stand-in's folder for measurements: `stand_in.py FOLDER`. Owns which graphs it holds."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

from llmzip.quantize import FLAVOURS, build_graph
from llmzip.quantize.exact import FILE_NAME as EXACT_FILE
from llmzip.quantize.exact.decoder import Provenance, build_exact_graph
from llmzip.quantize.stand_in import SHAPES, RandomWeights

NAME = "smollm2-135m"


def main() -> None:
    """Write `config.json` and `onnx/model_{exact,q4f16,q4}.onnx`; a graph that is there is kept."""
    folder = Path(sys.argv[1])
    weights = RandomWeights(SHAPES[NAME])
    builders = {flavour.file_name: partial(build_graph, weights, flavour) for flavour in FLAVOURS.values()}
    builders[EXACT_FILE] = partial(build_exact_graph, weights, Provenance("random", "0" * 64))
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    for name, build in builders.items():
        path = folder / "onnx" / name
        if path.exists():
            continue
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(build())
        unfinished.replace(path)
    (folder / "config.json").write_text(json.dumps(asdict(weights.config), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
