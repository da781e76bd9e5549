"""How fast the exact graph is beside the float ones, natively and in WebAssembly, on a model of SmolLM2-135M's shape.

Owns what is timed and the tables. The work itself is in py-runner/bench/speed.py and js-runner/bench/speed.mjs, which also give the
digests of the exact graph's rows and of the ids that were fed: where they are not the same, this ends with 1.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

from bench_runner import ROOT, BenchError, commands, table

FOLDER = ROOT / "target" / "bench" / "smollm2-135m"
VARIANTS = ["exact", "q4f16", "q4"]
# Lanes, tokens before, new tokens per pass, passes.
JOBS = {
    "prefill of 128": [1, 0, 128, 1],
    "prefill of 512": [1, 0, 512, 1],
    "one lane": [1, 128, 1, 16],
    "64 lanes": [64, 16, 1, 4],
}
# Lanes, new tokens per pass. Plans with the same lanes have the same contexts, and so the same rows.
PLANS = {"prefill": [1, 128], "chunks": [1, 5], "step": [1, 1], "lanes": [4, 1], "lanes-prefill": [4, 64]}


def measure(engine: str, command: list[str], threads: int, runs: int) -> dict[str, Any]:
    """What one engine's program prints."""
    options = {
        "folder": str(FOLDER),
        "variants": VARIANTS,
        "threads": threads,
        "runs": runs,
        "jobs": JOBS,
        "plans": PLANS,
    }
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "py-runner" / "src"), "ORT_DISABLE_TELEMETRY": "1"}
    run = subprocess.run(
        [*command, json.dumps(options)], stdout=subprocess.PIPE, env=environment, encoding="utf-8", check=False
    )
    if run.returncode != 0:
        raise BenchError(f"the measurement of {engine} ended with {run.returncode}")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def rows(engine: str, speeds: dict[str, dict[str, list[float]]]) -> list[list[str]]:
    """A row for each job: tokens per second, and how much faster the exact graph is, run by run; each as its spread."""
    out = []
    for job, of_variant in speeds.items():
        exact, *others = (of_variant[variant] for variant in VARIANTS)
        ratios = [[a / b for a, b in zip(exact, other, strict=True)] for other in others]
        cells = [spread(of_variant[variant], 1) for variant in VARIANTS] + [spread(ratio, 2) for ratio in ratios]
        out.append([f"{engine}: {job}", *cells])
    return out


def spread(values: list[float], digits: int) -> str:
    """The median of some runs, and their least and greatest."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def check_ids(ids: dict[str, dict[str, str]]) -> None:
    """Raise `BenchError` where two engines were timed at other ids, so that their speeds are not those of the same work."""
    first, *others = ids
    for other in others:
        if jobs := [job for job, digest in ids[other].items() if digest != ids[first][job]]:
            raise BenchError(f"{other} was fed other ids than {first}: {', '.join(jobs)}")


def different(digests: dict[str, dict[str, str]]) -> list[str]:
    """The plans and engines whose rows are not those of the first engine and the first plan with the same lanes."""
    first = next(iter(digests.values()))
    expected = {
        lanes: first[next(name for name, plan in PLANS.items() if plan[0] == lanes)] for lanes, _ in PLANS.values()
    }
    return [
        f"{engine}, {name}"
        for engine, of_plan in digests.items()
        for name, found in of_plan.items()
        if found != expected[PLANS[name][0]]
    ]


def run(threads: int, runs: int, json_file: Path | None) -> int:
    """Print the table; gives 1 where the exact graph's rows are not the same bits."""
    runners = commands()
    python, node = runners["python"][0], runners["node"][0]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "py-runner" / "src")}
    made = subprocess.run(
        [python, str(ROOT / "py-runner/bench/stand_in.py"), str(FOLDER), str(ROOT / "models" / "tiny")],
        env=environment,
        check=False,
    )
    if made.returncode != 0:
        raise BenchError(f"the stand-in cannot be made ({made.returncode})")
    engines: dict[str, tuple[list[str], int]] = {
        "WebAssembly, 1 thread": ([node, str(ROOT / "js-runner/bench/speed.mjs")], 1),
    }
    for count in sorted({1, threads}):
        engines[f"native, {count} threads"] = ([python, str(ROOT / "py-runner/bench/speed.py")], count)
    found = {engine: measure(engine, command, count, runs) for engine, (command, count) in engines.items()}
    check_ids({engine: answer["ids"] for engine, answer in found.items()})
    print(f"median (least..greatest) of {runs} runs")
    header = ["tokens/s", *VARIANTS, *(f"exact/{variant}" for variant in VARIANTS[1:])]
    table(header, [row for engine, answer in found.items() for row in rows(engine, answer["tokens_per_s"])])
    unequal = different({engine: answer["digests"] for engine, answer in found.items()})
    print(f"rows of the exact graph that are not the same bits: {', '.join(unequal) or 'none'}")
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 1 if unequal else 0
