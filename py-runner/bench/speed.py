"""How fast ONNX Runtime drives graphs: `speed.py OPTIONS`, with the options as JSON; prints JSON.

Owns the work that is timed, which js-runner/bench/speed.mjs does alike. Options: `folder`, `variants`, `threads`, `runs`, `jobs`
(name to [lanes, past, new tokens per pass, passes]), `plans` (name to [lanes, chunk]). Prints `tokens_per_s`, by job and variant one
number per run; `ids`, by job the SHA-256 of the ids that were fed, as u32, little-endian; and `digests`, by plan the SHA-256 of all rows
of the exact variant.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmzip.model.context import ContextPolicy, Plan, rows_of_known_tokens
from llmzip.model.model_files import read_model_files
from llmzip.model.session import Session, SessionOptions

CHECKED_TOKENS = 40
POLICY = ContextPolicy(0, 32, 8)


def some_ids(count: int, vocab_size: int) -> npt.NDArray[np.int64]:
    """The ids that are fed: any will do, in every language the same."""
    ids: npt.NDArray[np.int64] = np.arange(count, dtype=np.int64) * 977 % vocab_size
    return ids


def timed(session: Session, lanes: int, past: int, new: int, passes: int) -> tuple[float, str]:
    """Tokens per second of `passes` passes of `new` tokens in each of `lanes` lanes, after `past` others; and the digest of all ids."""
    before = some_ids(lanes * past, session.vocab_size).reshape(lanes, past)
    ids = some_ids(lanes * new, session.vocab_size).reshape(lanes, new)
    session.reset(lanes)
    if past:
        session.feed(before)
    started = time.perf_counter()
    for _ in range(passes):
        session.feed(ids)
    speed = lanes * new * passes / (time.perf_counter() - started)
    return speed, hashlib.sha256(before.astype("<u4").tobytes() + ids.astype("<u4").tobytes()).hexdigest()


def digest(session: Session, lanes: int, chunk: int) -> str:
    """The SHA-256 of the rows of some tokens, in the tokens' order."""
    ids = some_ids(CHECKED_TOKENS, session.vocab_size)
    lengths = [len(part) for part in np.array_split(ids, lanes)]
    firsts = np.concatenate([[0], np.cumsum(lengths)])
    rows: dict[int, bytes] = {}
    for batch in rows_of_known_tokens(session, POLICY, Plan(lanes, chunk), ids):
        for lane, lane_rows in enumerate(batch.logits):
            for at, row in enumerate(lane_rows):
                rows[int(firsts[batch.first_lane + lane]) + batch.first_row + at] = row.tobytes()
    if sorted(rows) != list(range(CHECKED_TOKENS)):
        raise RuntimeError(f"{len(rows)} rows came of {CHECKED_TOKENS} tokens")
    return hashlib.sha256(b"".join(rows[place] for place in sorted(rows))).hexdigest()


def main() -> None:
    """Do what the options say."""
    options = json.loads(sys.argv[1])
    folder = Path(options["folder"])
    config = json.loads((folder / "config.json").read_bytes())
    settings = SessionOptions(threads=options["threads"])
    sessions = {
        name: Session(read_model_files(folder / "onnx" / f"model_{name}.onnx", None), config, settings)
        for name in options["variants"]
    }
    speeds: dict[str, dict[str, list[float]]] = {job: {name: [] for name in sessions} for job in options["jobs"]}
    ids: dict[str, str] = {}
    # The first run warms up.
    for run in range(options["runs"] + 1):
        for job, (lanes, past, new, passes) in options["jobs"].items():
            for name, session in sessions.items():
                speed, ids[job] = timed(session, lanes, past, new, passes)
                speeds[job][name] += [speed] if run else []
    digests = {plan: digest(sessions["exact"], lanes, chunk) for plan, (lanes, chunk) in options["plans"].items()}
    json.dump({"tokens_per_s": speeds, "ids": ids, "digests": digests}, sys.stdout)


if __name__ == "__main__":
    main()
