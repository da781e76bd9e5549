"""Tests of `llmzip.quantize`."""
