"""Measurements that documents state: how long a conformance run takes, and what the codec costs over the model's entropy.

Owns the command line. It judges no duration: only unequal bytes or a failed run end it with another code than 0. Standard library only.
"""

from __future__ import annotations

import argparse
import sys

import bench_conform
import bench_overhead
from bench_runner import RELEASE, BenchError


def main() -> int:
    """Run one measurement; gives the exit code."""
    parser = argparse.ArgumentParser(description="Measure the release binary (cargo build --release).")
    commands = parser.add_subparsers(dest="command", required=True)
    conform = commands.add_parser("conform", help="seconds of a conformance run, by stage, model and runner")
    conform.add_argument("--runs", type=int, default=2, help="how often it is run [default: 2]")
    overhead = commands.add_parser("overhead", help="bits of the streams over the entropy, in the three languages")
    overhead.add_argument("--variant", default="q4", help="of the model tiny [default: q4]")
    overhead.add_argument("--tokens", type=int, default=10_000, help="of each text [default: 10000]")
    overhead.add_argument("--eps", nargs="+", default=["1e-5", "5e-5"], help="[default: 1e-5 5e-5]")
    arguments = parser.parse_args()
    try:
        if not RELEASE.is_file():
            raise BenchError(f"there is no {RELEASE.name}; build it with `cargo build --release`")
        if arguments.command == "conform":
            return bench_conform.run(arguments.runs)
        return bench_overhead.run(arguments.variant, arguments.tokens, arguments.eps)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
