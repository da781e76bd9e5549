"""The command `info`: what a container tells without its model, as text or JSON. Owns the words; reading is the container's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmzip.container.info import ContainerInfo


def info_text(info: ContainerInfo, name: tuple[str, str] | None, *, as_json: bool) -> str:
    """What is printed; `name` is the model's and its variant's where a manifest knows them."""
    return json.dumps(_view(info, name), indent=2) if as_json else _text(info, name)


def _view(info: ContainerInfo, name: tuple[str, str] | None) -> dict[str, Any]:
    """What the JSON has; the same members in the same order in all three languages."""
    from llmzip.container.layout import VERSION  # noqa: PLC0415

    preamble, ratio = info.preamble, info.ratio_thousandths
    return {
        "version": VERSION,
        "model_sha256": preamble.model_sha256.hex(),
        "model": name and {"name": name[0], "variant": name[1]},
        "tokenizer_sha256": preamble.tokenizer_sha256.hex(),
        "vocab_size": preamble.vocab_size,
        "fingerprint": preamble.fingerprint,
        "eps": str(preamble.eps),
        "offsets": preamble.offsets,
        "start_token": preamble.start_token,
        "window": preamble.window,
        "overlap": preamble.overlap,
        "frames": info.coded_frames + info.stored_frames,
        "coded_frames": info.coded_frames,
        "stored_frames": info.stored_frames,
        "lanes": info.lanes and {"least": info.lanes[0], "most": info.lanes[1]},
        "tokens": info.tokens,
        "plain_bytes": info.plain_bytes,
        "plain_sha256": info.plain_sha256,
        "plain_is_verified": info.plain_is_verified,
        "container_bytes": info.container_bytes,
        "ratio": None if ratio is None else ratio / 1000,
    }


def _text(info: ContainerInfo, name: tuple[str, str] | None) -> str:
    from llmzip.container.layout import VERSION  # noqa: PLC0415

    preamble, ratio = info.preamble, info.ratio_thousandths
    rows = {
        "format": f"version {VERSION}",
        "model": f"{' '.join(name) if name else 'unknown'}, SHA-256 {preamble.model_sha256.hex()}",
        "tokenizer": f"SHA-256 {preamble.tokenizer_sha256.hex()}",
        "vocabulary": preamble.vocab_size,
        "writer": preamble.fingerprint or "unnamed",
        "eps": preamble.eps,
        "context": f"window {preamble.window}, overlap {preamble.overlap}, start token {preamble.start_token}",
        "frames": f"{info.coded_frames} coded, {info.stored_frames} stored",
        "lanes": "none" if info.lanes is None else " to ".join(map(str, dict.fromkeys(info.lanes))),
        "tokens": info.tokens,
        "plain": f"{info.plain_bytes} bytes, SHA-256 {info.plain_sha256}",
        "container": f"{info.container_bytes} bytes"
        + ("" if ratio is None else f", ratio {ratio // 1000}.{ratio % 1000:03}"),
        "checked": "structure, every crc32, plain SHA-256"
        if info.plain_is_verified
        else "structure, every crc32; the plain SHA-256 needs the model",
    }
    return "\n".join(f"{row}: {value}" for row, value in rows.items())
