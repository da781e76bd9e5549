"""The whole way from bytes to a container and back, frame by frame. Memory does not grow with the length of the input."""

from llmzip.compressor.decode import DecompressSummary, decompress, decompress_frames, open_container
from llmzip.compressor.encode import (
    FRAME_BYTES,
    WRITER_OFFSETS,
    CompressOptions,
    CompressSummary,
    compress,
    paths_of_known_tokens,
    writer_plan,
)
from llmzip.compressor.lanes import Lanes, auto_lanes, lanes_of
from llmzip.compressor.progress import Progress
from llmzip.compressor.verify import HashedInput, PlainDigest, verify

__all__ = [
    "FRAME_BYTES",
    "WRITER_OFFSETS",
    "CompressOptions",
    "CompressSummary",
    "DecompressSummary",
    "HashedInput",
    "Lanes",
    "PlainDigest",
    "Progress",
    "auto_lanes",
    "compress",
    "decompress",
    "decompress_frames",
    "lanes_of",
    "open_container",
    "paths_of_known_tokens",
    "verify",
    "writer_plan",
]
