"""The command `quantize`. Owns its arguments and what it says; what is done is the pipeline's, or for `--exact` the exact exporter's.

Libraries are imported by what needs them: `--help` is quick.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmzip.arguments import amount, natural, output, positive
from llmzip.errors import UsageError
from llmzip.files import input_file, output_file
from llmzip.quantize_work import Work, work_of

if TYPE_CHECKING:
    from llmzip.quantize.nbits import NbitsSettings
    from llmzip.quantize.pipeline import Request

Talk = Callable[[str], None]

_GRAPHS = ("fp16", "fp32", "exact")
_EXPORTERS = ("auto", "fused", "generic", "own")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        help="folder of a checkpoint (config.json, safetensors, tokenizer.json), or OWNER/NAME of the Hugging Face hub; "
        "with --exact or --widen also a 4-bit ONNX file",
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace what is already there")
    parser.add_argument("-q", "--quiet", action="store_true", default=argparse.SUPPRESS, help="say nothing but errors")
    model = parser.add_argument_group("a model folder")
    model.add_argument("--out", type=Path, metavar="DIR", help="folder to make, such as models/NAME")
    model.add_argument("--revision", metavar="REVISION", help="branch, tag or commit on the hub")
    model.add_argument(
        "--preset",
        choices=("llmzip", "transformers-js"),
        help="groups of 16, embedding too (default); or blocks of 32 and the embedding kept",
    )
    model.add_argument("--bits", type=int, metavar="N", help="bits of a weight: 4 or 8 (default: 4)")
    model.add_argument("--group-size", type=int, metavar="N", help="weights that share a scale (default: the preset's)")
    model.add_argument(
        "--embeddings",
        action=argparse.BooleanOptionalAction,
        help="quantise the token embedding (default: the preset's)",
    )
    model.add_argument(
        "--scale", choices=("least-squares", "max-abs"), help="how scales are chosen (default: least-squares)"
    )
    model.add_argument("--zero-points", action="store_true", help="asymmetric: every group has a zero point")
    model.add_argument(
        "--activations",
        choices=_GRAPHS,
        action="append",
        help="variant to make: fp16 is q4f16, fp32 is q4; may be given more than once (default: all that the family allows)",
    )
    model.add_argument("--split-mib", type=positive, metavar="N", help="weights in files of at most N MiB")
    model.add_argument("--exporter", choices=_EXPORTERS, help="what makes the float graph (default: auto)")
    model.add_argument(
        "--start-token",
        type=natural,
        metavar="ID",
        help="token that a context begins with (default: the config's first)",
    )
    model.add_argument("--licence", metavar="TEXT", help="the model's licence, for the manifest (default: unknown)")
    model.add_argument(
        "--validate", type=Path, metavar="FILE", help="text to validate with (default: one that is shipped)"
    )
    model.add_argument("--no-validate", action="store_true", help="do not compare with transformers: needs no PyTorch")
    model.add_argument(
        "--max-kl",
        type=amount,
        metavar="BITS",
        help="largest mean KL from the checkpoint that is allowed (default: 0.5, less for a checkpoint whose log-probs hardly differ)",
    )
    model.add_argument("--compare-scales", action="store_true", help="measure every choice of scales as well")
    stand_in = parser.add_argument_group("a stand-in for a model, with random weights")
    stand_in.add_argument("--stand-in", metavar="NAME", help="shape of the model, in the place of SOURCE: smollm2-135m")
    stand_in.add_argument("--seed", type=natural, metavar="N", help="what the weights follow from (default: 0)")
    stand_in.add_argument("--tokenizer", type=Path, metavar="DIR", help="folder with the model's tokenizer.json")
    other = parser.add_argument_group("other work")
    other.add_argument("--exact", action="store_true", help="make one exact graph: the same bits in every engine")
    other.add_argument(
        "--positions",
        type=positive,
        metavar="N",
        help="context of an exact graph in tokens (default: the model's own, at most 33025, where sums still fit int32)",
    )
    other.add_argument(
        "--widen",
        action="store_true",
        help="make the q4 file of a q4f16 file: float32 activations, the same 4-bit weights",
    )
    other.add_argument(
        "-o",
        "--output",
        type=output,
        metavar="OUTPUT",
        help="file to write (default: model_exact.onnx in SOURCE's onnx folder, or model_q4.onnx beside SOURCE)",
    )
    other.add_argument("--install", action="store_true", help="make the exporters' environments, and nothing else")


def run(options: argparse.Namespace, say: Talk, tell: Talk) -> None:
    """Carry the command out; `say` is for talk, `tell` for data. Raises what a step raises."""
    talk: Talk = (lambda _text: None) if options.quiet else say
    match work_of(options):
        case Work.INSTALL:
            _install(talk)
        case Work.EXACT:
            _exact(options, talk, tell)
        case Work.WIDEN:
            _widen(options, talk, tell)
        case Work.STAND_IN | Work.MODEL:
            _model(options, talk, tell)


def _install(talk: Talk) -> None:
    from llmzip.quantize.export.environment import ENVIRONMENTS, prepare  # noqa: PLC0415

    for name in ENVIRONMENTS:
        talk(f"{name}: {prepare(name, talk)}")


def _exact(options: argparse.Namespace, talk: Talk, tell: Talk) -> None:
    from llmzip.quantize.exact import FILE_NAME, check_source, export_exact  # noqa: PLC0415

    source = Path(options.source)
    check_source(source)
    target = Path(options.output or (source / "onnx" if source.is_dir() else source.parent) / FILE_NAME)
    with contextlib.ExitStack() as undo:
        if options.output is None and source.is_dir() and not target.parent.exists():
            target.parent.mkdir()
            undo.callback(target.parent.rmdir)
        with output_file(target, overwrite=options.force) as file:
            model = export_exact(source, options.positions)
            file.write(model.content)
        undo.pop_all()
    if model.positions < model.source_positions:
        talk(f"the graph is for the first {model.positions} of {model.source_positions} positions")
    talk(
        f"{target}: {len(model.content)} bytes, exact; its lines of the manifest.toml beside the model's folder are on stdout"
    )
    tell(model.manifest_entry().removesuffix("\n"))


def _widen(options: argparse.Namespace, talk: Talk, tell: Talk) -> None:
    from llmzip.quantize.widened import FLAVOUR, widen_file  # noqa: PLC0415

    source = Path(options.source)
    target = Path(options.output or source.parent / FLAVOUR.file_name)
    # The source first: where it is not, a default target is nowhere either.
    with input_file(source), output_file(target, overwrite=options.force) as file:
        model = widen_file(source)
        file.write(model.content)
    talk(
        f"{target}: {len(model.content)} bytes; its lines of the manifest.toml beside the model's folder are on stdout"
    )
    tell(model.manifest_entry().removesuffix("\n"))


def _model(options: argparse.Namespace, talk: Talk, tell: Talk) -> None:
    from llmzip.quantize.standin import stand_in  # noqa: PLC0415

    preset = stand_in(options.stand_in).settings if options.stand_in and options.preset is None else None
    request = _request(options, preset)
    if options.stand_in is not None:
        from llmzip.quantize.standin_command import quantize_stand_in  # noqa: PLC0415

        report = quantize_stand_in(options.stand_in, options.seed or 0, options.tokenizer, request, talk)
    else:
        from llmzip.quantize.pipeline import quantize_checkpoint  # noqa: PLC0415
        from llmzip.quantize.source import open_source  # noqa: PLC0415

        report = quantize_checkpoint(open_source(options.source, options.revision), request, talk)
    talk(f"{options.out} is made; `llmzip conform --model {options.out}` tries it with every runner")
    for line in _lines(report):
        tell(line)


def _request(options: argparse.Namespace, preset: NbitsSettings | None) -> Request:
    from llmzip.quantize.pipeline import Request  # noqa: PLC0415
    from llmzip.quantize.validate.bounds import Bounds  # noqa: PLC0415

    if options.no_validate and (options.validate or options.max_kl is not None or options.compare_scales):
        raise UsageError(
            "--no-validate leaves nothing to measure", "leave it out, or the options that ask for measuring"
        )
    return Request(
        options.out,
        _settings(options, preset),
        tuple(dict.fromkeys(options.activations)) if options.activations else None,
        options.exporter or "auto",
        options.split_mib,
        not options.no_validate,
        options.validate,
        Bounds(options.max_kl),
        options.licence or "unknown",
        options.start_token,
        options.force,
        options.compare_scales,
    )


def _settings(options: argparse.Namespace, preset: NbitsSettings | None) -> NbitsSettings:
    """The preset with what the command says otherwise. Raises UsageError for what no op takes."""
    from dataclasses import replace  # noqa: PLC0415

    from llmzip.quantize.nbits import PRESETS  # noqa: PLC0415

    settings = preset or PRESETS[options.preset or "llmzip"]
    changed: dict[str, Any] = {}
    if options.bits is not None:
        changed["bits"] = options.bits
    if options.group_size is not None:
        changed["matmul_group"] = options.group_size
    embeddings = settings.embedding_group is not None if options.embeddings is None else options.embeddings
    if embeddings:
        own = settings.embedding_group or settings.matmul_group
        changed["embedding_group"] = own if options.group_size is None else options.group_size
    else:
        changed["embedding_group"] = None
    if options.scale is not None:
        changed["scale"] = options.scale
    if options.zero_points:
        changed["symmetric"] = False
    return replace(settings, **changed)


def _lines(report: dict[str, Any]) -> list[str]:
    """A line for each variant."""
    validation = report["validation"]
    if validation is None:
        return [
            f"{name}: {each['bytes']} bytes, not validated"
            for name, each in report["variants"].items()
            if "bytes" in each
        ]
    lines = []
    for name, each in validation["graphs"].items():
        if "kl_bits" not in each:
            continue
        bits = each["bits_per_token"]
        size = f"{each['bytes']} bytes, " if "bytes" in each else ""
        lines.append(
            f"{name}: {size}{bits['graph']:.4f} bits per token (checkpoint {bits['baseline']:.4f}), mean KL "
            f"{each['kl_bits']['mean']:.3g} bits, the same most likely token {100 * each['same_most_likely_token']:.1f} %"
        )
    return lines
