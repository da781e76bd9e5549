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

from llmzip import quantize_command
from llmzip.arguments import output, positive
from llmzip.errors import (
    IntegrityError,
    InternalError,
    InterruptedByUserError,
    IoError,
    LlmzipError,
    ModelError,
)
from llmzip.files import input_file, keep_standard_error, output_file, standard_output
from llmzip.model.provider import CPU, PROVIDERS
from llmzip.signals import Interruption, check_interruption, interrupt_when_asked, was_interrupted

if TYPE_CHECKING:
    from llmzip.compressor import Progress
    from llmzip.container.layout import Preamble
    from llmzip.model.graph import GraphView, TensorInfo
    from llmzip.model.loader import LoadedModel
    from llmzip.model.manifest import ModelRecord, Variant
    from llmzip.model.session import SessionOptions


class _Parser(argparse.ArgumentParser):
    """A parser, of a command too, whose help is data: what argparse prints itself may be lost without an error."""

    def print_help(self, file: object = None) -> None:  # noqa: ARG002 - argparse gives none where help is asked for
        _print(self.format_help(), end="")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code."""
    keep_standard_error()
    try:
        return _run(_parser().parse_args(arguments))
    except (Interruption, KeyboardInterrupt):
        return _report(InterruptedByUserError())
    except LlmzipError as error:
        return _report(InterruptedByUserError() if was_interrupted() else error)
    except Exception as error:  # the last resort: a defect is told as one
        if was_interrupted():
            return _report(InterruptedByUserError())
        traceback.print_exc(file=sys.stderr)
        return _report(InternalError(f"{type(error).__name__}: {error}"))


def _run(options: argparse.Namespace) -> int:
    if options.command == "runner":
        from llmzip.runner.loop import main as be_runner  # noqa: PLC0415

        return be_runner()
    interrupt_when_asked()
    commands = {
        "compress": _compress,
        "decompress": _decompress,
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
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    model = _Parser(add_help=False)
    model.add_argument(
        "--model", type=Path, metavar="DIR", help="folder of the model (default: LLMZIP_MODEL, or models/tiny)"
    )
    model.add_argument("--threads", type=positive, default=1, metavar="N", help="threads of ONNX Runtime (default: 1)")
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
        help="most lanes that are fed at once (default: all where the graph allows it, else one)",
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
    files.add_argument("input", metavar="INPUT", help="file to read; - is stdin")
    files.add_argument(
        "-o", "--output", type=output, required=True, metavar="OUTPUT", help="file to write; - is stdout"
    )
    files.add_argument("-f", "--force", action="store_true", help="replace OUTPUT if it is already there")

    compress = commands.add_parser("compress", parents=[files, model, batch, verify, variant], help="compress any file")
    compress.add_argument(
        "--lanes", type=positive, default=1, metavar="N", help="lanes that decode side by side (default: 1)"
    )
    compress.add_argument(
        "--eps", metavar="E", help="largest difference of a log-prob withstood (default: the manifest's)"
    )
    compress.add_argument("--frame-bytes", type=positive, metavar="N", help="plain bytes of a frame (default: 1 MiB)")
    commands.add_parser("decompress", parents=[files, model, batch], help="decompress a container")
    inspect = commands.add_parser("inspect", parents=[model, verify, variant], help="print what a graph declares")
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


def _compress(options: argparse.Namespace) -> None:
    from llmzip.compressor import FRAME_BYTES, CompressOptions, compress  # noqa: PLC0415
    from llmzip.container.eps import Eps  # noqa: PLC0415
    from llmzip.model.context import ContextPolicy  # noqa: PLC0415

    eps = Eps.parse(options.eps) if options.eps is not None else None
    # The files first: a name that cannot be written to should not cost the loading of a model.
    with input_file(options.input) as plain, output_file(options.output, overwrite=options.force) as container:
        record, variant = _chosen_variant(options)
        settings = CompressOptions(
            eps or Eps.parse(variant.eps),
            ContextPolicy(record.start_token, record.window, record.overlap),
            options.lanes,
            options.frame_bytes or FRAME_BYTES,
        )
        model = _load(options, record, variant)
        _warn_of_single_lanes(model)
        result = compress(plain, container, model, settings, _progress())
    bits = f", {8 * result.container_bytes / result.plain_bytes:.3f} bits per byte" if result.plain_bytes else ""
    _say(f"{result.plain_bytes} bytes to {result.container_bytes}{bits}, {result.tokens} tokens coded")


def _decompress(options: argparse.Namespace) -> None:
    from llmzip.compressor import decompress_frames, open_container  # noqa: PLC0415

    with input_file(options.input) as container, output_file(options.output, overwrite=options.force) as plain:
        reader, preamble = open_container(container)
        model = _load_for(options, preamble)
        _warn_of_single_lanes(model)
        result = decompress_frames(reader, preamble, plain, model, _progress())
    _say(f"{result.plain_bytes} bytes, SHA-256 {result.plain_sha256}")


def _inspect(options: argparse.Namespace) -> None:
    record, variant = _chosen_variant(options)
    view = _load(options, record, variant).inspect()
    _print(json.dumps(asdict(view), indent=2) if options.json else _text(view, record.name, variant.file))


def _quantize(options: argparse.Namespace) -> None:
    quantize_command.run(options, _say, _print)


def _exact(options: argparse.Namespace) -> None:
    from llmzip.exact import check  # noqa: PLC0415

    try:
        content = options.graph.read_bytes()
    except OSError as error:
        raise IoError.reading(options.graph, error) from error
    report = check(content, options.positions)
    _print(json.dumps(report.to_json(), indent=2) if options.json else "\n".join(report.lines()))
    if report.violations:
        count = len(report.violations)
        raise ModelError(
            f"{options.graph} is not exact: {count} violation{'s' if count > 1 else ''}",
            "see above what breaks the rules; llmzip can make an exact graph of a checkpoint",
        )
    if not report.exact:
        raise ModelError(
            f"{options.graph} is proved exact for {report.positions.extent} only",
            f"leave --positions out to check all of it, or make a graph of {report.positions.value} positions with quantize --exact",
        )


def _print(text: str, end: str = "\n") -> None:
    """Give data to stdout. Raises `IoError`."""
    stdout = standard_output()
    try:
        stdout.write(text + end)
        stdout.flush()
    except OSError as error:
        raise IoError.writing("stdout", error) from error


def _chosen_variant(options: argparse.Namespace) -> tuple[ModelRecord, Variant]:
    from llmzip.model.loader import record_of  # noqa: PLC0415
    from llmzip.model.provenance import default_model_dir  # noqa: PLC0415

    options.model = options.model or default_model_dir()
    record = record_of(options.model)
    return record, record.variant(options.variant)


def _load(options: argparse.Namespace, record: ModelRecord, variant: Variant) -> LoadedModel:
    from llmzip.model.loader import load_variant  # noqa: PLC0415

    model = load_variant(options.model, record, variant, _session_options(options), verify=options.verify_sha)
    if not options.verify_sha:
        # Whoever reads the log must see that nothing vouches for what follows.
        _say(f"warning: --no-verify-sha: {model.model_path} was held to no SHA-256; it has {model.model_sha256}")
    elif record.model_sha256(variant) is None:
        _say(f"note: no manifest knows {model.model_path}; its SHA-256 is {model.model_sha256}")
    return model


def _session_options(options: argparse.Namespace) -> SessionOptions:
    from llmzip.model.session import SessionOptions  # noqa: PLC0415

    # `inspect` feeds nothing.
    return SessionOptions(options.threads, options.provider, batch=getattr(options, "batch", None))


def _warn_of_single_lanes(model: LoadedModel) -> None:
    """A graph that takes one lane at a time does what it should, but not as fast as lanes are meant to be."""
    policy = model.source.signature.batch_policy
    if policy.batch == "static":
        _say(f"warning: lanes run one after another, the graph takes no batch: {policy.reason}")


def _load_for(options: argparse.Namespace, preamble: Preamble) -> LoadedModel:
    """The model that a container names. Raises `IntegrityError` when it is not in the folder."""
    from llmzip.model.loader import CONFIG_FILE, load_model, record_of  # noqa: PLC0415
    from llmzip.model.model_files import read_model_files  # noqa: PLC0415
    from llmzip.model.provenance import default_model_dir  # noqa: PLC0415

    options.model = options.model or default_model_dir()
    record = record_of(options.model)
    needed = preamble.model_sha256.hex()
    there = {
        variant.file: record.model_sha256(variant) or read_model_files(options.model / variant.file, None).sha256
        for variant in record.variants
    }
    for file, sha256 in there.items():
        if sha256 == needed:
            # Whatever the manifest says of these two, the container's hashes are those that count.
            tokenizer_sha256, config_sha256 = preamble.tokenizer_sha256.hex(), record.sha256.get(CONFIG_FILE)
            return load_model(options.model, file, _session_options(options), needed, tokenizer_sha256, config_sha256)
    raise IntegrityError(
        f"the container was made with the model of SHA-256 {needed}; in {options.model} there is "
        + ", ".join(f"{file} {sha256}" for file, sha256 in there.items()),
        "name the folder of the right model with --model",
    )


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


def _progress() -> Progress:
    def show(done: int, total: int) -> None:
        check_interruption()
        sys.stderr.write(f"\r{done} of {total} tokens\033[K" + ("\r\033[K" if done == total else ""))
        sys.stderr.flush()

    def silent(_done: int, _total: int) -> None:
        check_interruption()

    return show if sys.stderr.isatty() else silent


def _say(text: str) -> None:
    sys.stderr.write(("\r\033[K" if sys.stderr.isatty() else "") + text + "\n")


def _report(error: LlmzipError) -> int:
    _say(f"error[{error.code}]: {error.message}")
    _say(f"hint: {error.hint}")
    return error.exit_code
