"""How long a conformance run takes.

Owns the runs and the table of their stages; the times are those of the report, but for the whole run's, which is taken here.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench_runner import RELEASE, ROOT, BenchError, table

# Stages that no runner took longer for than this, in seconds, are summed up in one row.
SHORT = 0.1

Stages = list[dict[str, str | float]]


def timed(*arguments: str) -> tuple[float, float]:
    """Seconds that a command of the release binary takes, and those of the processor; its stdout is thrown away."""
    started, before = time.monotonic(), os.times()
    code = subprocess.run([RELEASE, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        raise BenchError(f"llmzip {arguments[0]} ended with {code}")
    after = os.times()
    # Of this process's children and theirs; Windows does not tell.
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, busy


def by_stage(stages: Stages, model: str, runners: list[str]) -> list[list[str]]:
    """A row for every stage of a model, with a column for every runner, and their sums."""
    seconds: dict[str, dict[str, float]] = {}
    for stage in stages:
        if stage["model"] == model and stage["runner"]:
            # Whoever wrote it: containers that are equal are read once.
            name = str(stage["name"]).split(" by ")[0]
            of_stage = seconds.setdefault(name, dict.fromkeys(runners, 0.0))
            of_stage[str(stage["runner"])] += float(stage["seconds"])
    rows, short, total = [], dict.fromkeys(runners, 0.0), dict.fromkeys(runners, 0.0)
    for name, of_stage in seconds.items():
        for runner, value in of_stage.items():
            total[runner] += value
            short[runner] += value if max(of_stage.values()) < SHORT else 0.0
        if max(of_stage.values()) >= SHORT:
            rows.append([name, *(f"{of_stage[runner]:.2f}" for runner in runners)])
    for name, sums in ((f"stages below {SHORT} s", short), ("all", total)):
        rows.append([name, *(f"{sums[runner]:.2f}" for runner in runners)])
    return rows


def run(runs: int) -> int:
    """Run it `runs` times and print every stage."""
    timed("setup")
    wall, _ = timed("setup")
    print(f"set-up, when nothing is to do: {wall:.2f} s; {os.cpu_count()} processors")
    for index in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.json"
            wall, busy = timed("conform", "--report", str(path))
            report = json.loads(path.read_text(encoding="utf-8"))
        runners = [runner["name"] for runner in report["runners"] if runner["status"] == "ok"]
        for model in report["models"]:
            print(f"\nrun {index + 1}, {model['name']}: seconds, the runners side by side")
            table(["stage", *runners], by_stage(report["stages"], model["name"], runners))
        compare = sum(stage["seconds"] for stage in report["stages"] if not stage["runner"])
        print(f"\nrun {index + 1}: {wall:.1f} s in all, {busy:.1f} s of the processors, comparisons {compare:.2f} s")
        print(f"run {index + 1}: {report['verdict']}")
    return 0
