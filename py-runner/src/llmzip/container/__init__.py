"""The container: bytes only (FORMAT.md sections 2 and 3). Knows no models and computes no probabilities."""
