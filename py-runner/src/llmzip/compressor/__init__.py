"""The whole way from bytes to a container and back, frame by frame. Memory does not grow with the length of the input."""

from llmzip.compressor.decode import DecompressSummary, decompress, decompress_frames, open_container
from llmzip.compressor.encode import (
    FRAME_BYTES,
    WRITER_OFFSETS,
    CompressOptions,
    CompressSummary,
    compress,
    paths_of_known_tokens,
)
from llmzip.compressor.progress import Progress

__all__ = [
    "FRAME_BYTES",
    "WRITER_OFFSETS",
    "CompressOptions",
    "CompressSummary",
    "DecompressSummary",
    "Progress",
    "compress",
    "decompress",
    "decompress_frames",
    "open_container",
    "paths_of_known_tokens",
]
