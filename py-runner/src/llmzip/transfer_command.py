"""The commands `compress` and `decompress`: one input, one output, either of which may be a pipe. Owns their arguments and order."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import BinaryIO, cast

from llmzip.arguments import lanes, output, positive
from llmzip.chosen_model import chosen_variant, load, load_for, warn_of_single_lanes
from llmzip.errors import UsageError
from llmzip.files import STDIO, input_file, output_file
from llmzip.places import (
    CountedInput,
    container_input,
    output_name,
    refuse_same,
    refuse_terminal,
    remove_input,
    takes_a_name,
)
from llmzip.talk import FileProgress, say


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """What is read and what is written."""
    parser.add_argument("input", metavar="INPUT", help="file to read; - is stdin")
    parser.add_argument(
        "-o",
        "--output",
        type=output,
        metavar="OUTPUT",
        help="file to write; - is stdout (default: INPUT with .llmzip after it, or without it for decompress; stdout for stdin)",
    )
    parser.add_argument(
        "-f",
        "--force",
        action="store_true",
        help="replace OUTPUT if it is already there; write a container to a terminal",
    )
    # The last word counts. The default of the first is the one that holds.
    parser.add_argument(
        "-k",
        "--keep",
        dest="remove",
        action="store_false",
        default=False,
        help="leave INPUT where it is (the default)",
    )
    parser.add_argument(
        "--rm",
        dest="remove",
        action="store_true",
        default=False,
        help="remove INPUT once OUTPUT is complete; never where INPUT is stdin or OUTPUT no file",
    )


def add_writer_arguments(parser: argparse.ArgumentParser) -> None:
    """What `compress` alone takes."""
    parser.add_argument(
        "--lanes",
        type=lanes,
        default="auto",
        metavar="N",
        help="lanes that decode side by side: a number, or auto, by the length of each frame (default: auto)",
    )
    parser.add_argument(
        "--eps", metavar="E", help="largest difference of a log-prob withstood (default: the manifest's)"
    )
    parser.add_argument("--frame-bytes", type=positive, metavar="N", help="plain bytes of a frame (default: 1 MiB)")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="decode what was written, and compare it with INPUT, before OUTPUT takes its name",
    )


def compress(options: argparse.Namespace) -> None:
    """`compress`."""
    from llmzip.compressor import FRAME_BYTES, CompressOptions, HashedInput, verify  # noqa: PLC0415
    from llmzip.compressor import compress as compress_stream  # noqa: PLC0415
    from llmzip.container.eps import Eps  # noqa: PLC0415
    from llmzip.model.context import ContextPolicy  # noqa: PLC0415

    eps = Eps.parse(options.eps) if options.eps is not None else None
    target = _target(options)
    refuse_terminal(target, force=options.force)
    # The files first: a name that cannot be written to should not cost the loading of a model.
    with input_file(options.input) as plain, output_file(target, overwrite=options.force) as container:
        removes = _removes(options, target)
        if options.verify and not takes_a_name(target):
            raise UsageError(
                "--verify reads the output back, which only a file can be", "name a file to write to with -o"
            )
        record, variant = chosen_variant(options)
        settings = CompressOptions(
            eps or Eps.parse(variant.eps),
            ContextPolicy(record.start_token, record.window, record.overlap),
            options.lanes,
            options.frame_bytes or FRAME_BYTES,
        )
        model = load(options, record, variant)
        warn_of_single_lanes(model)
        counted = CountedInput(plain)
        hashed = HashedInput(cast("BinaryIO", counted))
        progress = FileProgress("compress", lambda: counted.count, counted.size)
        result = compress_stream(cast("BinaryIO", hashed), container, model, settings, progress.show)
        if options.verify:
            container.flush()
            with Path(container.name).open("rb") as written:
                verify(written, hashed.finish(), model, progress.show_verifying)
        progress.clear()
    if removes:
        remove_input(options.input)
    bits = f", {8 * result.container_bytes / result.plain_bytes:.3f} bits per byte" if result.plain_bytes else ""
    verified = ", verified" if options.verify else ""
    say(f"{result.plain_bytes} bytes to {result.container_bytes}{bits}, {result.tokens} tokens coded{verified}")


def decompress(options: argparse.Namespace) -> None:
    """`decompress`."""
    from llmzip.compressor import decompress_frames, open_container  # noqa: PLC0415

    target = _target(options)
    with container_input(options.input) as container, output_file(target, overwrite=options.force) as plain:
        removes = _removes(options, target)
        counted = CountedInput(container)
        reader, preamble = open_container(cast("BinaryIO", counted))
        model = load_for(options, preamble)
        warn_of_single_lanes(model)
        progress = FileProgress("decompress", lambda: counted.count, counted.size)
        result = decompress_frames(reader, preamble, plain, model, progress.show)
        progress.clear()
    if removes:
        remove_input(options.input)
    say(f"{result.plain_bytes} bytes, SHA-256 {result.plain_sha256}")


def _target(options: argparse.Namespace) -> str:
    target: str = output_name(options.command, options.input) if options.output is None else options.output
    refuse_same(options.input, target)
    return target


def _removes(options: argparse.Namespace, target: str) -> bool:
    """Whether the input goes; says so where it was asked for and does not."""
    may_go = options.input != STDIO and takes_a_name(target)
    if options.remove and not may_go:
        say("note: --rm removes nothing where the input is stdin or the output is no file")
    return options.remove and may_go
