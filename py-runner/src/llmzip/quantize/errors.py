"""What can go wrong while a graph is built. Owns these two error types only."""

from llmzip.errors import ModelError


class QuantizeError(ModelError):
    """A graph cannot be built from these weights."""


class CheckpointError(QuantizeError):
    """A checkpoint file is missing, damaged, or of a shape that the builder does not know."""
