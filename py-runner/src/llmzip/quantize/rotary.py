"""The rotary embedding's tables. Owns their numbers: whoever builds a graph takes them from here."""

import math

import numpy as np
import numpy.typing as npt

from .config import DecoderConfig


def rotary_tables(config: DecoderConfig) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Cosines and sines by position, each [max_position_embeddings, head_dim / 2]."""
    half = config.head_dim // 2
    rates = [config.rope_theta ** (-i / half) for i in range(half)]
    angles = [[position * rate for rate in rates] for position in range(config.max_position_embeddings)]
    cos = np.array([[math.cos(angle) for angle in row] for row in angles])
    sin = np.array([[math.sin(angle) for angle in row] for row in angles])
    return cos, sin
