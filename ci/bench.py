"""Measurements that documents state: how long a conformance run takes, what the codec costs over the
model's entropy, and how fast the exact graph is.

Owns the command line. It judges no duration: only unequal bytes or a failed run end it with another code than 0. Standard library only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bench_conform
import bench_overhead
import bench_speed
from bench_runner import RELEASE, BenchError


def main() -> int:
    """Run one measurement; gives the exit code."""
    parser = argparse.ArgumentParser(
        description="Measure: conform and overhead need the release binary (cargo build --release), speed only the"
        " environments of Python and Node."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    conform = commands.add_parser("conform", help="seconds of a conformance run, by stage, model and runner")
    conform.add_argument("--runs", type=int, default=2, help="how often it is run [default: 2]")
    overhead = commands.add_parser("overhead", help="bits of the streams over the entropy, in the three languages")
    overhead.add_argument("--variant", default="q4", help="of the model tiny [default: q4]")
    overhead.add_argument("--tokens", type=int, default=10_000, help="of each text at most [default: 10000]")
    overhead.add_argument("--lanes", type=int, nargs="+", default=[1], help="[default: 1]")
    overhead.add_argument("--eps", nargs="+", default=["1e-5", "5e-5", "2e-4"], help="[default: 1e-5 5e-5 2e-4]")
    speed = commands.add_parser("speed", help="tokens/s of the exact graph beside the float ones")
    speed.add_argument("--threads", type=int, default=2, help="of the native runtime, inside an operator [default: 2]")
    speed.add_argument("--runs", type=int, default=5, help="after one to warm up [default: 5]")
    speed.add_argument("--json", type=Path, help="write every measurement")
    arguments = parser.parse_args()
    try:
        if arguments.command == "speed":
            return bench_speed.run(arguments.threads, arguments.runs, arguments.json)
        if not RELEASE.is_file():
            raise BenchError(f"there is no {RELEASE.name}; build it with `cargo build --release`")
        if arguments.command == "conform":
            return bench_conform.run(arguments.runs)
        return bench_overhead.run(arguments.variant, arguments.tokens, arguments.lanes, arguments.eps)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
