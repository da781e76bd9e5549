"""The command line. Owns arguments, messages and exit codes; what is done is the library's.

Libraries are imported by the command that needs them: `--help` is quick, and `runner` claims stdout before anything else.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from llmzip import quantize_command, transfer_command
from llmzip.arguments import positive
from llmzip.chosen_model import chosen_variant, load
from llmzip.errors import InternalError, InterruptedByUserError, IoError, LlmzipError, ModelError
from llmzip.files import keep_standard_error, standard_output
from llmzip.info_command import info_text
from llmzip.model.provider import CPU, PROVIDERS
from llmzip.places import container_input
from llmzip.signals import Interruption, interrupt_when_asked, was_interrupted
from llmzip.talk import be_quiet, report, say

if TYPE_CHECKING:
    from llmzip.model.graph import GraphView, TensorInfo


class _Parser(argparse.ArgumentParser):
    """A parser, of a command too, whose help is data: what argparse prints itself may be lost without an error."""

    def print_help(self, file: object = None) -> None:  # noqa: ARG002 - argparse gives none where help is asked for
        _print(self.format_help(), end="")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code."""
    keep_standard_error()
    try:
        options = _parser().parse_args(arguments)
        be_quiet(options.quiet)
        return _run(options)
    except (Interruption, KeyboardInterrupt):
        return report(InterruptedByUserError())
    except LlmzipError as error:
        return report(InterruptedByUserError() if was_interrupted() else error)
    except Exception as error:  # the last resort: a defect is told as one
        if was_interrupted():
            return report(InterruptedByUserError())
        traceback.print_exc(file=sys.stderr)
        return report(InternalError(f"{type(error).__name__}: {error}"))


def _run(options: argparse.Namespace) -> int:
    if options.command == "runner":
        from llmzip.runner.loop import main as be_runner  # noqa: PLC0415

        return be_runner()
    interrupt_when_asked()
    commands = {
        "compress": transfer_command.compress,
        "decompress": transfer_command.decompress,
        "info": _info,
        "inspect": _inspect,
        "exact": _exact,
        "quantize": _quantize,
    }
    commands[options.command](options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="llmzip-py", description="Compress text with the next-token log-probs of an ONNX language model."
    )
    talk = _Parser(add_help=False)
    # Before or after the command: what is not given after it must not undo what was given before.
    for each, default in ((parser, False), (talk, argparse.SUPPRESS)):
        each.add_argument(
            "-q", "--quiet", action="store_true", default=default, help="say nothing but errors on stderr"
        )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    model = _Parser(add_help=False)
    model.add_argument(
        "--model", type=Path, metavar="DIR", help="folder of the model (default: LLMZIP_MODEL, or models/tiny)"
    )
    model.add_argument(
        "--threads",
        type=positive,
        default=1,
        metavar="N",
        help="threads of ONNX Runtime inside an operator (default: 1)",
    )
    model.add_argument(
        "--provider",
        choices=PROVIDERS,
        default=CPU,
        metavar="NAME",
        help="execution provider of ONNX Runtime (default: cpu)",
    )
    batch = _Parser(add_help=False)
    batch.add_argument(
        "--batch",
        type=positive,
        metavar="N",
        help="most lanes that are fed at once (default: as many as have caches of 192 MiB together, or one where the"
        " graph takes no more)",
    )
    verify = _Parser(add_help=False)
    verify.add_argument(
        "--verify-sha",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="hold the model's files to the SHA-256s of the manifest beside its folder",
    )
    variant = _Parser(add_help=False)
    variant.add_argument(
        "--variant", metavar="NAME", help="variant of the model (default: exact, else q4f16, else the first)"
    )
    files = _Parser(add_help=False)
    transfer_command.add_file_arguments(files)

    both = [files, model, batch, talk]
    compress = commands.add_parser("compress", parents=[*both, verify, variant], help="compress any file")
    transfer_command.add_writer_arguments(compress)
    commands.add_parser("decompress", parents=both, help="decompress a container")
    info = commands.add_parser("info", parents=[talk], help="print what a container tells without its model")
    info.add_argument("input", metavar="FILE", help="container to read; - is stdin")
    info.add_argument("--json", action="store_true", help="print JSON")
    inspect = commands.add_parser("inspect", parents=[model, verify, variant, talk], help="print what a graph declares")
    inspect.add_argument("--json", action="store_true", help="print JSON")
    quantize_command.add_arguments(
        commands.add_parser("quantize", help="make a model folder, or an exact graph, of a checkpoint")
    )
    exact = commands.add_parser("exact", help="tell whether a graph gives the same bits in every engine")
    check = exact.add_subparsers(dest="exact_command", required=True, metavar="COMMAND").add_parser(
        "check", help="name every node that breaks a rule of exactness, and the rule"
    )
    check.add_argument("graph", type=Path, metavar="MODEL", help="ONNX file")
    check.add_argument(
        "--positions",
        type=positive,
        metavar="N",
        help="prove it for contexts of N tokens only (default: as many as the table of positions has)",
    )
    check.add_argument("--json", action="store_true", help="print JSON")
    commands.add_parser("runner", help="answer requests of the runner protocol on stdin and stdout")
    return parser


def _info(options: argparse.Namespace) -> None:
    from llmzip.container.info import read_info  # noqa: PLC0415
    from llmzip.model.provenance import find_name  # noqa: PLC0415

    with container_input(options.input) as container:
        info = read_info(container)
    _print(info_text(info, find_name(info.preamble.model_sha256.hex()), as_json=options.json))


def _inspect(options: argparse.Namespace) -> None:
    record, variant = chosen_variant(options)
    view = load(options, record, variant).inspect()
    _print(json.dumps(asdict(view), indent=2) if options.json else _text(view, record.name, variant.file))


def _quantize(options: argparse.Namespace) -> None:
    quantize_command.run(options, say, _print)


def _exact(options: argparse.Namespace) -> None:
    from llmzip.exact import check  # noqa: PLC0415

    try:
        content = options.graph.read_bytes()
    except OSError as error:
        raise IoError.reading(options.graph, error) from error
    found = check(content, options.positions)
    _print(json.dumps(found.to_json(), indent=2) if options.json else "\n".join(found.lines()))
    if found.violations:
        count = len(found.violations)
        raise ModelError(
            f"{options.graph} is not exact: {count} violation{'s' if count > 1 else ''}",
            "see above what breaks the rules; llmzip can make an exact graph of a checkpoint",
        )
    if not found.exact:
        raise ModelError(
            f"{options.graph} is proved exact for {found.positions.extent} only",
            f"leave --positions out to check all of it, or make a graph of {found.positions.value} positions with quantize --exact",
        )


def _print(text: str, end: str = "\n") -> None:
    """Give data to stdout. Raises `IoError`."""
    stdout = standard_output()
    try:
        stdout.write(text + end)
        stdout.flush()
    except OSError as error:
        raise IoError.writing("stdout", error) from error


def _text(view: GraphView, name: str, file: str) -> str:
    opset = ", ".join(f"{domain or 'ai.onnx'} {number}" for domain, number in view.opset.items())
    return "\n".join(
        [
            f"model: {name}, {file}",
            f"provider: {view.provider}",
            f"batch: {view.batch_policy.batch} ({view.batch_policy.reason})",
            f"exact: {'yes' if view.exactness.exact else 'no'} ({view.exactness.reason})",
            f"opset: {opset}",
            "inputs:",
            *_tensor_lines(view.inputs),
            "outputs:",
            *_tensor_lines(view.outputs),
            "ops:",
            *(f"  {count:6}  {op}" for op, count in view.ops.items()),
        ]
    )


def _tensor_lines(tensors: list[TensorInfo]) -> list[str]:
    width = max(len(each.name) for each in tensors)
    return [f"  {each.name:{width}}  {each.type:8}  [{', '.join(map(str, each.shape))}]" for each in tensors]
