"""The whole way from bytes to a container and back, frame by frame. Memory does not grow with the length of the input."""

from llmzip.compressor.decode import DecompressResult, decompress, decompress_frames, open_container
from llmzip.compressor.encode import (
    FRAME_BYTES,
    OFFSETS,
    CompressResult,
    CompressSettings,
    compress,
    paths_of_known_tokens,
)
from llmzip.compressor.progress import Progress

__all__ = [
    "FRAME_BYTES",
    "OFFSETS",
    "CompressResult",
    "CompressSettings",
    "DecompressResult",
    "Progress",
    "compress",
    "decompress",
    "decompress_frames",
    "open_container",
    "paths_of_known_tokens",
]
