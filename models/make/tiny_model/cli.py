"""The command line of `run`. Owns the order of the steps; imports PyTorch only when it trains."""

import argparse
import sys
import tempfile
from pathlib import Path

from .export import GRAPH_FILES, export
from .files import say
from .manifest import manifest_text, write_manifest
from .paths import MAKE, MANIFEST, MODELS, TINY
from .pieces import write_samples


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="models/make/run",
        description="Train models/tiny and write all its files. The training goes on where it was stopped.",
    )
    parser.add_argument("--work", type=Path, default=MAKE / "work", help="folder of the training's state")
    parser.add_argument("--steps", type=int, default=3400, help="length of the training; fewer to end it sooner")
    parser.add_argument("--minutes", type=float, help="stop after this long, with the state saved, to go on later")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch threads")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--from-checkpoint", action="store_true", help="no training: remake ONNX files, samples and manifest"
    )
    what.add_argument(
        "--check", action="store_true", help="no writing: compare what would be remade with what is there"
    )
    what.add_argument("--evaluate", action="store_true", help="no writing: print what the model costs on each text")
    what.add_argument(
        "--scales",
        action="store_true",
        help="no writing: print what flavours and ways to choose scales cost in bits per token",
    )
    return parser


def remake(folder: Path) -> None:
    """Write everything in `folder` that follows from its checkpoint and from the generators."""
    export(folder)
    write_samples(folder / "samples")


def differences() -> list[str]:
    """Files, relative to models/, that are not byte for byte what the committed checkpoint gives."""
    names = [*(f"onnx/{name}" for name in GRAPH_FILES), *(f"samples/{p.name}" for p in (TINY / "samples").iterdir())]
    with tempfile.TemporaryDirectory() as place:
        fresh = Path(place)
        for name in ("config.json", "model.safetensors"):
            (fresh / name).write_bytes((TINY / name).read_bytes())
        remake(fresh)
        names += [f"samples/{p.name}" for p in (fresh / "samples").iterdir()]
        differing = [f"tiny/{name}" for name in sorted(set(names)) if _bytes(TINY / name) != _bytes(fresh / name)]
    if _bytes(MANIFEST) != manifest_text().encode("utf-8"):
        differing.append(MANIFEST.name)
    return differing


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if it succeeded, 1 if `--check` found a difference, 3 if the training is unfinished."""
    chosen = _arguments().parse_args(arguments)
    if chosen.check:
        found = differences()
        for name in found:
            say(f"models/{name} is not what models/make/run --from-checkpoint makes")
        return 1 if found else 0
    if chosen.evaluate:
        from .card import figures_text

        sys.stdout.write(figures_text(TINY))
        return 0
    if chosen.scales:
        from .scales import scales_text

        sys.stdout.write(scales_text(TINY))
        return 0
    if not chosen.from_checkpoint:
        from .train import Plan
        from .training_run import training_run

        plan = Plan(steps=chosen.steps, threads=chosen.threads, minutes=chosen.minutes)
        if not training_run(chosen.work, plan, TINY):
            say("stopped before the last step: the same command goes on from here")
            return 3
    remake(TINY)
    write_manifest()
    if not chosen.from_checkpoint:
        from .card import write_card

        write_card(TINY)
    say(f"wrote {TINY.relative_to(MODELS.parent)} and {MANIFEST.relative_to(MODELS.parent)}")
    return 0
