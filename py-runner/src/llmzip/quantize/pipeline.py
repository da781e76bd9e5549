"""From a checkpoint to a verified model folder. Owns the order of the steps of `llmzip quantize` and what is reported of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import onnx

from llmzip.errors import UsageError

from .artefacts import StagedModel, model_folder, refuse_existing
from .drive import Driver
from .errors import QuantizeError
from .exact import export_exact
from .export.axes import Axes, check_axes
from .export.choose import candidates, export
from .export.loaded import Exported, saved
from .exported import ExportedGraph
from .flavours import FLAVOURS, quantized_flavours
from .manifest import Origin
from .nbits import NbitsSettings, quantize
from .nbits.scales import Scale
from .ops import compatibility
from .source import CheckpointFolder
from .validate.baseline import Baseline, run_baseline
from .validate.bounds import Bounds
from .validate.measures import Measured, measure
from .validate.plot import draw
from .validate.text import ValidationText, longest_context, start_token, validation_text

REPORT, PLOT = "quantization.json", "quantization.png"
ACTIVATIONS = {"fp16": "q4f16", "fp32": "q4", "exact": "exact"}
"""The flavour that each word of --activations makes."""
_WINDOW, _OVERLAP = 512, 4

Talk = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What is to be made. `activations` are None for all that the family allows; `validate` is None for no validation."""

    out: Path
    settings: NbitsSettings
    activations: tuple[str, ...] | None = None
    exporter: str = "auto"
    split_mib: int | None = None
    validate: bool = True
    text: Path | None = None
    bounds: Bounds = field(default_factory=Bounds)
    licence: str = "unknown"
    start_token: int | None = None
    overwrite: bool = False
    compare_scales: bool = False


@dataclass
class _Report:
    """What quantization.json says, in the order in which it comes to be known."""

    facts: dict[str, Any] = field(default_factory=dict)
    plotted: dict[str, Measured] = field(default_factory=dict)
    axes: dict[str, Any] = field(default_factory=dict)
    variants: dict[str, Any] = field(default_factory=dict)
    scales: dict[str, Any] = field(default_factory=dict)
    runtimes: dict[str, Any] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)


def quantize_checkpoint(source: CheckpointFolder, request: Request, talk: Talk) -> dict[str, Any]:
    """Make the model folder `request.out`, whole or not at all, and its entry in the manifest beside it; give the report.

    Raises QuantizeError where an exporter, a family or a bound does not allow it, UsageError, SetupError, IoError.
    """
    refuse_existing(request.out, overwrite=request.overwrite)
    if not request.out.absolute().parent.is_dir():
        raise UsageError(
            f"there is no folder {request.out.parent} to put the model in", "make it, or name another --out"
        )
    names = candidates(source, request.exporter)
    with tempfile.TemporaryDirectory(prefix=".llmzip-", suffix=".tmp", dir=request.out.absolute().parent) as scratch:
        return _Steps(source, request, talk, Path(scratch)).run(names)


class _Steps:
    def __init__(self, source: CheckpointFolder, request: Request, talk: Talk, scratch: Path) -> None:
        self._source, self._request, self._talk, self._scratch = source, request, talk, scratch
        self._report = _Report()
        self._text: ValidationText | None = None
        self._baseline: Baseline | None = None

    def run(self, names: list[str]) -> dict[str, Any]:
        source, request = self._source, self._request
        if request.validate:
            tokenizer = source.folder / "tokenizer.json"
            self._text = validation_text(source, tokenizer, request.text, self._start())
            self._baseline = run_baseline(source, self._text.windows, self._scratch / "baseline", self._talk)
        weights = source.identity()
        exported = self._export(names)
        with model_folder(
            request.out, source.config, source.folder, self._origin(), weights, overwrite=request.overwrite
        ) as staged:
            self._flavours(exported, staged)
            self._exact(staged)
            if request.compare_scales:
                self._compare_scales(exported)
            report = self._told(asdict(weights))
            if self._report.plotted:
                png = draw(request.out.name, self._report.plotted, self._scratch / "plot", self._talk)
                staged.add_file(PLOT, png)
            staged.add_file(REPORT, (json.dumps(report, indent=2) + "\n").encode())
        return report

    def _export(self, names: list[str]) -> Exported:
        """The float graph of the first exporter whose graph is the checkpoint."""
        failures: dict[str, QuantizeError] = {}
        for name in names:
            try:
                exported = export(name, self._source, self._scratch / name, self._talk)
                self._axes("float export", check_axes(exported.file, self._source.config))
                if self._baseline is not None:
                    measured = self._measure("float export", exported.file)
                    self._request.bounds.hold_float(measured)
            except QuantizeError as error:
                failures[name] = error
                self._talk(f"the {name} exporter does not do: {error.message}")
                continue
            self._report.facts["exporter"] = name
            self._report.facts["passed_over"] = {each: error.message for each, error in failures.items()}
            return exported
        if len(failures) == 1:
            raise next(iter(failures.values()))
        why = "; ".join(f"{name}: {error.message}" for name, error in failures.items())
        raise QuantizeError(f"no exporter did {self._source.origin}: {why}", "use a checkpoint of another family")

    def _flavours(self, exported: Exported, staged: StagedModel) -> None:
        wanted = [ACTIVATIONS[each] for each in self._request.activations or ACTIVATIONS]
        names = [name for name in wanted if name in FLAVOURS]
        if not names:
            return
        self._talk(f"quantising to {self._request.settings.bits} bits")
        made = quantized_flavours(exported.graph, self._request.settings, names)
        for name in sorted(made, key=list(FLAVOURS).index):
            path = staged.add_graph(name, made.pop(name), self._request.split_mib)
            self._held(name, path)

    def _exact(self, staged: StagedModel) -> None:
        asked = self._request.activations
        if asked is not None and "exact" not in asked:
            return
        self._talk("building the exact graph")
        try:
            model = export_exact(self._source.folder)
        except QuantizeError as error:
            if asked is not None:
                raise
            self._talk(f"no exact variant: {error.message}")
            self._report.variants["exact"] = {"not_made": error.message}
            return
        self._held("exact", staged.add_exact(model.content))

    def _held(self, name: str, path: Path) -> None:
        """A variant, run at all sizes and held to its bound."""
        self._axes(name, check_axes(path, self._source.config))
        self._runtimes(name, path)
        self._report.variants[name] = {"bytes": path.stat().st_size}
        if self._baseline is not None:
            measured = self._measure(name, path)
            self._report.plotted[name] = measured
            self._report.bounds[name] = self._request.bounds.largest_kl(measured)
            self._request.bounds.hold_quantized(name, measured)

    def _runtimes(self, name: str, path: Path) -> None:
        """Which builds of ONNX Runtime have every op of a variant."""
        told: dict[str, Any] = {}
        for each in compatibility(onnx.load_model(str(path), load_external_data=False)):
            told[each.runtime.name] = {"runs": each.runs, "lacks": ["::".join(op) for op in each.missing]}
            if not each.runs:
                self._talk(f"note: {name} does not run in {each.line()}")
        self._report.runtimes[name] = told

    def _compare_scales(self, exported: Exported) -> None:
        """Every way to choose scales, with float32 activations, so that nothing but the weights differs."""
        for scale in get_args(Scale):
            for symmetric in (True, False):
                settings = replace(self._request.settings, scale=scale, symmetric=symmetric)
                name = f"{scale}, {'symmetric' if symmetric else 'with zero points'}"
                self._talk(f"trying scales: {name}")
                made = saved(ExportedGraph(quantize(exported.graph, settings), "fp32"), self._scratch / "scales.onnx")
                self._measure(name, made.file)
                told = self._report.variants.pop(name)
                self._report.scales[name] = {"bytes": made.file.stat().st_size, **told}

    def _measure(self, name: str, path: Path) -> Measured:
        if self._baseline is None or self._text is None:
            raise QuantizeError(f"{name} has nothing to be compared with", "validate, or leave it out")
        self._talk(f"comparing {name} with the checkpoint")
        measured = measure(Driver(path, self._source.config), self._baseline)
        known = self._report.variants.get(name, {})
        self._report.variants[name] = known | measured.summary(self._text.size)
        return measured

    def _axes(self, name: str, axes: Axes) -> None:
        left_out = [dict(zip(("batch", "length", "past"), case, strict=True)) for case in axes.left_out]
        told = {"runs": len(axes.cases), "largest_log_prob_difference": axes.largest_difference}
        self._report.axes[name] = told | ({"not_taken_by_an_operator": left_out} if left_out else {})

    def _origin(self) -> Origin:
        source = self._source
        longest = longest_context(source.config)
        window = min(_WINDOW, longest or _WINDOW)
        return Origin(
            source.origin if source.revision else Path(source.origin).name,
            self._request.licence,
            window,
            window // _OVERLAP,
            self._start(),
            source.revision,
        )

    def _start(self) -> int:
        asked = self._request.start_token
        return start_token(self._source.config) if asked is None else asked

    def _told(self, weights: dict[str, str]) -> dict[str, Any]:
        request, report = self._request, self._report
        told: dict[str, Any] = {
            "source": {"architecture": self._source.architecture, "family": self._source.family, **weights},
            "export": report.facts,
            "settings": asdict(request.settings),
            "axes": {"run_with": "batches 1 and 3, lengths 1, 2 and 17, after 0, 1, 2 and 17", **report.axes},
            "measured_with": {"onnxruntime": version("onnxruntime")},
            "runtimes": report.runtimes,
            "validation": None,
        }
        if self._baseline is not None and self._text is not None:
            text = self._text
            tokens = sum(len(each) - 1 for each in text.windows)
            told["validation"] = {
                "baseline": {"run_by": self._baseline.versions, "weights_and_activations": "float32"},
                "text": {"name": text.name, "sha256": text.sha256, "bytes": text.size, "tokens": tokens},
                "bounds": {
                    "float_export": {"largest_log_prob_difference": request.bounds.float_difference},
                    "variants": {name: {"mean_kl_bits": each} for name, each in report.bounds.items()},
                },
                "graphs": report.variants,
                **({"choices_of_scales": report.scales} if report.scales else {}),
            }
        elif report.variants:
            told["variants"] = report.variants
        return told
