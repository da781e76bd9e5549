"""An exporter that is interrupted, or finds the disk full: an error of its kind, and nothing left, neither files nor processes.

Needs the exporters' environments, but for the child processes of the first tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llmzip.errors import IoError
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.export.environment import ENVIRONMENTS, is_ready, python_of
from llmzip.quantize.export.process import run
from support.paths import PY_RUNNER, TINY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has neither these signals nor this limit")
needs_exporters = pytest.mark.skipif(
    not all(is_ready(name) for name in ENVIRONMENTS),
    reason="the exporters are not installed: python -m llmzip quantize --install",
)
MAKER = Path(__file__).with_name("random_checkpoints.py")
STARTS = {
    "fused": "exporting LlamaForCausalLM with the builder of onnxruntime-genai",
    "generic": "exporting LlamaForCausalLM with optimum",
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    run([python_of("fused"), MAKER, TINY, folder, "llama"], "the making", folder / "log", QuantizeError, print)
    return folder / "llama"


def start(checkpoint: Path, folder: Path, exporter: str, limit: int | None = None) -> subprocess.Popen[str]:
    """The command, with an empty folder for what programs write for themselves, and perhaps the greatest size of a file in bytes."""

    def limited() -> None:
        import resource  # noqa: PLC0415 - not on every system

        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    (folder / "tmp").mkdir()
    (folder / "models").mkdir()
    words = ["--out", str(folder / "models" / "mine"), "--exporter", exporter, "--no-validate"]
    command = [sys.executable, "-m", "llmzip", "quantize", str(checkpoint), *words]
    environment = {"PYTHONPATH": str(PY_RUNNER / "src"), "PATH": os.environ["PATH"], "TMPDIR": str(folder / "tmp")}
    # As `llmzip quantize` starts it: the runtime would write files of its own.
    environment["ORT_DISABLE_TELEMETRY"] = "1"
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limited,  # noqa: PLW1509
    )


def nothing_is_left(folder: Path) -> None:
    assert [path.name for path in (folder / "models").iterdir()] == []
    assert [path.name for path in (folder / "tmp").iterdir()] == []
    assert processes_naming(folder) == []


def processes_naming(folder: Path) -> list[str]:
    """The command lines of processes that have a path inside the folder, where the system shows them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").replace("\0", " ").strip()
        except OSError:
            # It has ended meanwhile.
            continue
        if str(folder) in words:
            found.append(words)
    return found


@needs_exporters
@pytest.mark.parametrize("exporter", ENVIRONMENTS)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_exporter_that_is_interrupted_leaves_nothing(
    tmp_path: Path, checkpoint: Path, exporter: str, name: str
) -> None:
    lines = []
    with start(checkpoint, tmp_path, exporter) as command:
        assert command.stderr is not None
        for line in command.stderr:
            lines.append(line)
            if STARTS[exporter] in line:
                # It is under way as soon as there is a process with its words.
                while command.poll() is None and len(processes_naming(tmp_path)) < 2:
                    time.sleep(0.01)
                command.send_signal(getattr(signal, name))
        assert command.wait() == 130, lines
    assert any(line.startswith("error[interrupted]") for line in lines)
    assert any(STARTS[exporter] in line for line in lines)
    nothing_is_left(tmp_path)


@needs_exporters
@pytest.mark.parametrize("exporter", ENVIRONMENTS)
def test_an_exporter_on_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path, checkpoint: Path, exporter: str) -> None:
    # Far less than the weights take, and more than what is said.
    with start(checkpoint, tmp_path, exporter, limit=64 * 1024) as command:
        stdout, stderr = command.communicate()
    assert (command.returncode, stdout) == (1, ""), stderr
    assert "error[io]: cannot write" in stderr
    assert STARTS[exporter] in stderr
    nothing_is_left(tmp_path)


def test_what_a_child_has_started_ends_with_it(tmp_path: Path) -> None:
    """The child starts another process, says which, and would both wait for ever."""
    grandchild = "import time; time.sleep(600)"
    told = tmp_path / "told"
    script = (
        "import pathlib, subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', {grandchild!r}, {str(tmp_path)!r}]); "
        f"pathlib.Path({str(told)!r}).write_text('it runs'); child.wait()"
    )

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def interrupt_when_it_runs() -> None:
        while not told.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    watcher = threading.Thread(target=interrupt_when_it_runs)
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run([sys.executable, "-c", script], "the child", tmp_path / "log", QuantizeError, print)
    finally:
        watcher.join()
        signal.signal(signal.SIGUSR1, before)
    while processes_naming(tmp_path):
        # Killed, but perhaps not gone yet; one that stays keeps the test from its end.
        time.sleep(0.01)


@pytest.mark.parametrize("words", ["No space left on device", "File too large", "Disk quota exceeded"])
def test_a_disk_that_is_full_is_told_from_other_failures(tmp_path: Path, words: str) -> None:
    script = f"import sys; print('OSError: {words}', file=sys.stderr); print('and more', file=sys.stderr); sys.exit(1)"
    with pytest.raises(IoError, match=words):
        run([sys.executable, "-c", script], "the child", tmp_path / "log", QuantizeError, print)


def test_what_a_child_writes_for_itself_lies_beside_its_log(tmp_path: Path) -> None:
    script = "import tempfile; print(tempfile.mkdtemp())"
    run([sys.executable, "-c", script], "the child", tmp_path / "log", QuantizeError, print)
    assert Path((tmp_path / "log").read_text().strip()).parent == tmp_path
