"""The shape of the embedded model and the ids of its special tokens. Owns constants only."""

from dataclasses import dataclass

END_OF_TEXT = "<|endoftext|>"
MESSAGE_START = "<|im_start|>"
MESSAGE_END = "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, MESSAGE_START, MESSAGE_END)
START_ID, BOS_ID, EOS_ID = 0, 1, 2

WINDOW = 512
OVERLAP = 128


@dataclass(frozen=True)
class Shape:
    """Sizes of a Llama network. Each linear's input dimension is divisible by the block of 32."""

    vocab: int = 1536
    hidden: int = 192
    intermediate: int = 512
    layers: int = 6
    heads: int = 6
    kv_heads: int = 2
    head_dim: int = 32
    positions: int = WINDOW
    rope_theta: float = 10000.0
    rms_eps: float = 1e-5


TINY_SHAPE = Shape()
