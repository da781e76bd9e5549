"""What the codec costs over the model's entropy, in each of the three languages.

Owns the texts, the requests and the table. All entropies and lengths are those that the runners state; containers are hashed here.
"""

from __future__ import annotations

import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from pathlib import Path

from bench_runner import ROOT, BenchError, Model, Runner, commands, table

TEXTS = ("prose-45k.txt", "mixed-100k.txt")
FRAME_BYTES = 1 << 20
HEADER = [
    "text", "lanes", "eps", "runner", "tokens", "entropy bits", "stream bytes", "overhead", "rounding at most", "container bytes", "sha256"
]  # fmt: skip


def prefix(runner: Runner, text: str, tokens: int) -> str:
    """What the first `tokens` tokens of a text say, or all that it has."""
    ids = runner.ask("tokenize", text=text)["ids"][:tokens]
    beginning: str = runner.ask("detokenize", ids=ids)["text"]
    if not text.startswith(beginning):
        raise BenchError(f"a text does not begin with what its first {len(ids)} tokens say")
    return beginning


def measure(runner: Runner, model: Model, plain: Path, lanes: int, eps: str, folder: Path) -> list[str]:
    """Compress a file; gives the cells from the runner's name on."""
    container = folder / f"{plain.name}.{lanes}.{eps}.{runner.name}"
    result = runner.ask(
        "compress",
        input_file=str(plain),
        output_file=str(container),
        lanes=lanes,
        eps=eps,
        start_token=model.start_token,
        window=model.window,
        overlap=model.overlap,
        frame_bytes=FRAME_BYTES,
    )
    entropy, stream = result["entropy_bits"], result["stream_bytes"]
    return [
        runner.name,
        str(result["tokens"]),
        f"{entropy:.1f}",
        str(stream),
        f"{100 * (8 * stream / entropy - 1):+.3f} %",
        f"{100 * 7 * lanes / entropy:.3f} %",
        str(result["container_bytes"]),
        hashlib.sha256(container.read_bytes()).hexdigest(),
    ]


def run(variant: str, tokens: int, lanes: list[int], eps: list[str]) -> int:
    """Print the table; gives 1 where the containers of the languages are not the same bytes."""
    model = Model.of_manifest("tiny", variant)
    rows, unequal = [], []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        runners = [stack.enter_context(Runner(name, command, model)) for name, command in commands().items()]
        pool = stack.enter_context(ThreadPoolExecutor(len(runners)))
        for text in TEXTS:
            plain = folder / text
            sample = (ROOT / "models" / "tiny" / "samples" / text).read_bytes().decode("utf-8")
            plain.write_bytes(prefix(runners[0], sample, tokens).encode("utf-8"))
            for count, bound in product(lanes, eps):
                asked = [pool.submit(measure, runner, model, plain, count, bound, folder) for runner in runners]
                answers = [answer.result() for answer in asked]
                rows += [[text, str(count), bound, *answer[:-1], answer[-1][:16]] for answer in answers]
                if len({answer[-1] for answer in answers}) > 1:
                    unequal.append(f"{text} in {count} lanes at eps {bound}")
    print(f"tiny/{variant}; the overhead is that of the streams, their ends and their last bytes' filling included")
    table(HEADER, rows)
    print(f"containers that are not the same bytes in all languages: {', '.join(unequal) or 'none'}")
    return 1 if unequal else 0
