"""The model card, models/tiny/README.md, with figures measured when it is written. Owns that file."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from .evaluate import Figure, evaluate
from .export import GRAPH_FILES
from .files import write_whole
from .inference import Logits, OnnxModel
from .network import Llama
from .shape import TINY_SHAPE

_TEMPLATE = Path(__file__).with_name("card.md")


def checkpoint_logits(folder: Path) -> Logits:
    """The checkpoint itself, in float32 with PyTorch."""
    model = Llama(TINY_SHAPE)
    model.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})

    def logits(ids: np.typing.NDArray[np.int64]) -> np.typing.NDArray[np.float32]:
        with torch.no_grad():
            found: np.typing.NDArray[np.float32] = model(torch.from_numpy(ids)).numpy()
        return found

    return logits


def _all_figures(folder: Path) -> dict[str, list[Figure]]:
    figures = {"float32": evaluate(folder, checkpoint_logits(folder))}
    for name in GRAPH_FILES:
        figures[name.removeprefix("model_").removesuffix(".onnx")] = evaluate(folder, OnnxModel(folder / "onnx" / name))
    return figures


def figures_text(folder: Path) -> str:
    """Bits of each text for the checkpoint and each ONNX file, as a Markdown table."""
    figures = _all_figures(folder)
    names = list(figures)
    lines = [
        f"| text | bytes | tokens | {' | '.join(f'{name}, bits' for name in names)} | bits/byte | bits/token "
        "| zstd -19, bytes | (bits / 8 + 150) / zstd |",
        "|---" + "|---:" * (len(names) + 6) + "|",
    ]
    for row in zip(*figures.values(), strict=True):
        worst = max(row, key=lambda figure: figure.bits)
        bits = " | ".join(f"{figure.bits:.1f}" for figure in row)
        lines.append(
            f"| {worst.name} | {worst.plain_bytes:,} | {worst.tokens:,} | {bits} | {worst.bits_per_byte:.3f} "
            f"| {worst.bits / worst.tokens:.3f} | {worst.zstd_bytes:,} | {worst.ratio:.3f} |"
        )
    return "\n".join(lines) + "\n"


def write_card(folder: Path) -> None:
    """Write README.md: the template with the figures in it."""
    text = _TEMPLATE.read_text(encoding="utf-8").replace("{figures}", figures_text(folder).rstrip("\n"))
    write_whole(folder / "README.md", text.encode("utf-8"))
