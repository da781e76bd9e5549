"""How many lanes a writer gives a frame (FORMAT.md section 8)."""

from __future__ import annotations

from typing import Literal

Lanes = int | Literal["auto"]
# Tokens per lane below which `auto` adds none: what a lane costs is then about 1 % of what its tokens do, or less.
AUTO_TOKENS = 8192
# The most lanes of `auto`: more would take memory and gain little.
AUTO_LANES = 64


def auto_lanes(tokens: int) -> int:
    """The lanes of a frame of so many tokens."""
    return min(max(tokens // AUTO_TOKENS, 1), AUTO_LANES)


def lanes_of(lanes: Lanes, tokens: int) -> int:
    """The lanes of a frame of so many tokens, for a number or `auto`."""
    return auto_lanes(tokens) if lanes == "auto" else lanes
