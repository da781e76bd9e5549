"""What exporters hand on: a float graph with all its weights. Owns the shape of that hand-over only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx

Activations = Literal["fp32", "fp16"]


@dataclass(frozen=True)
class ExportedGraph:
    """A decoder in ONNX, weights loaded.

    Inputs are named as transformers.js names them: `input_ids`, `attention_mask`, perhaps `position_ids`, and per layer
    `past_key_values.N.key` and `.value`; outputs are `logits`, `present.N.key` and `.value`. `activations` is the type of the float
    weights, of what is computed and of the cache. `precise` holds float constants, by the initializer's name, that are known as float64:
    as float16 they are then rounded once, not twice.
    """

    model: onnx.ModelProto
    activations: Activations
    precise: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
