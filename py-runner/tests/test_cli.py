import contextlib
import dataclasses
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmzip.cli import main
from llmzip.container.bytes import ByteReader
from llmzip.container.layout import read_preamble
from support.graphs import CONFIG, exact_graph
from support.paths import PY_RUNNER, TINY, TINY_VARIANTS

# Every import of a library writes to stdout, as some libraries do.
NOISE = """
import builtins, os, sys
plain_import = builtins.__import__
def noisy_import(name, *rest, **more):
    if "runner" in sys.argv and name.partition(".")[0] in ("numpy", "onnxruntime"):
        print("noise", flush=True)
        try:
            os.write(1, b"noise")
        except OSError:
            pass
    return plain_import(name, *rest, **more)
builtins.__import__ = noisy_import
"""
PLAIN = b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n\xff\xfe the end"
pytestmark = pytest.mark.usefixtures("same_signals")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are POSIX's")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain"
    path.write_bytes(PLAIN)
    return path


@pytest.fixture
def container(plain: Path, tmp_path: Path) -> Path:
    path = tmp_path / "container"
    assert run("compress", plain, "-o", path, "--variant", "q4f16") == 0
    return path


def run(*arguments: object) -> int:
    return main([str(each) for each in arguments])


def check_error(capsys: pytest.CaptureFixture[str], expected: int, code: str, text: str, *arguments: object) -> None:
    """A command fails with an exit code, and says what, where and what to do."""
    capsys.readouterr()
    assert run(*arguments) == expected
    shown = capsys.readouterr()
    assert shown.out == ""
    first, hint = shown.err.splitlines()[-2:]
    assert first.startswith(f"error[{code}]: ")
    assert text in first
    assert hint.startswith("hint: ")


def process(*arguments: object, **options: object) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"PYTHONPATH": str(PY_RUNNER / "src")}
    command = [sys.executable, "-m", "llmzip", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("variant", TINY_VARIANTS)
def test_there_and_back(plain: Path, tmp_path: Path, variant: str, capsys: pytest.CaptureFixture[str]) -> None:
    packed, back = tmp_path / "packed", tmp_path / "back"
    assert run("compress", plain, "-o", packed, "--variant", variant, "--lanes", "2", "--model", TINY) == 0
    # The variant is found by the container's hash.
    assert run("decompress", packed, "-o", back) == 0
    assert back.read_bytes() == PLAIN
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"{len(PLAIN)} bytes to {packed.stat().st_size}" in shown.err


@pytest.mark.parametrize("content", [b"", b"x"])
def test_tiny_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plain").write_bytes(content)
    assert run("compress", tmp_path / "plain", "-o", tmp_path / "packed", "--eps", "1e-9", "--frame-bytes", "7") == 0
    assert run("decompress", tmp_path / "packed", "-o", tmp_path / "back") == 0
    assert (tmp_path / "back").read_bytes() == content


def test_stdin_and_stdout() -> None:
    packing = process("compress", "-", "-o", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    packed, _ = packing.communicate(PLAIN)
    assert packing.returncode == 0
    unpacking = process("decompress", "-", "-o", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert unpacking.communicate(packed)[0] == PLAIN
    assert unpacking.returncode == 0


def test_files_are_not_replaced_without_force(plain: Path, container: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = container.read_bytes()
    check_error(capsys, 2, "usage", "already there", "compress", plain, "-o", container)
    assert container.read_bytes() == before
    assert run("compress", plain, "-o", container, "-f") == 0


def test_what_can_be_wrong_on_a_command_line(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    check_error(capsys, 1, "io", "cannot read", "compress", tmp_path / "none", "-o", out)
    check_error(capsys, 1, "io", "cannot write", "compress", plain, "-o", tmp_path / "none" / "out")
    check_error(capsys, 2, "usage", "is a folder", "compress", plain, "-o", tmp_path)
    check_error(capsys, 2, "usage", "eps is 'x'", "compress", plain, "-o", out, "--eps", "x")
    check_error(capsys, 2, "usage", "257 lanes", "compress", plain, "-o", out, "--lanes", 257)
    check_error(capsys, 2, "usage", "no variant 'q9'", "compress", plain, "-o", out, "--variant", "q9")
    check_error(capsys, 3, "setup", "not a model folder", "compress", plain, "-o", out, "--model", tmp_path)
    check_error(capsys, 1, "format", "not an LLMzip container", "decompress", plain, "-o", out)
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]
    for arguments in (
        ["compress"],
        ["squeeze"],
        [],
        ["compress", "none", "-o", ""],
        ["decompress", "none", "-o", ""],
        ["quantize", "none", "--exact", "-o", ""],
        # A container names its model by the SHA-256, and is decoded by no other.
        ["decompress", "none", "-o", "out", "--no-verify-sha"],
        *(["compress", "none", "-o", "out", "--lanes", lanes] for lanes in ("0", "1_0", "+1", " 1", "1.0", "\u0661")),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


def test_damaged_and_truncated_containers(container: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = container.read_bytes()
    out, bad = tmp_path / "out", tmp_path / "bad"
    for damaged in (content[:-1], content[:50], content + b"\x00", content[:-40] + b"\x00" + content[-39:]):
        bad.write_bytes(damaged)
        check_error(capsys, 1, "format", "", "decompress", bad, "-o", out)
        assert not out.exists()
    assert len(list(tmp_path.iterdir())) == 3


def model_folder(at: Path, manifest: bool) -> Path:
    """A copy of the tiny model's files that can be spoilt."""
    folder = at / "models" / "tiny"
    (folder / "onnx").mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "onnx/model_q4f16.onnx"):
        (folder / name).write_bytes((TINY / name).read_bytes())
    if manifest:
        (at / "models" / "manifest.toml").write_bytes((TINY.parent / "manifest.toml").read_bytes())
    return folder


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "onnx/model_q4f16.onnx"])
def test_files_that_are_not_the_manifest_s(
    plain: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model_folder(tmp_path, manifest=True)
    # Another byte at the end of JSON changes nothing but the hash.
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    command = ["compress", plain, "-o", tmp_path / "out", "--model", folder, "--variant", "q4f16"]
    check_error(capsys, 4, "integrity", "expected is", *command)
    assert not (tmp_path / "out").exists()
    if name == "config.json":
        assert run(*command, "--no-verify-sha") == 0
        assert "warning: --no-verify-sha: " in capsys.readouterr().err


def test_a_container_of_another_model(container: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = model_folder(tmp_path, manifest=False)
    (folder / "onnx" / "model_q4f16.onnx").unlink()
    (folder / "onnx" / "model_q4.onnx").write_bytes((TINY / "onnx" / "model_q4.onnx").read_bytes())
    out = tmp_path / "out"
    command = ["decompress", container, "-o", out, "--model", folder]
    check_error(capsys, 4, "integrity", "container was made with the model of SHA-256", *command)
    (folder / "onnx" / "model_q4f16.onnx").write_bytes((TINY / "onnx" / "model_q4f16.onnx").read_bytes())
    (folder / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes() + b"\n")
    check_error(capsys, 4, "integrity", "tokenizer.json has SHA-256", *command)
    assert not out.exists()


def test_a_model_that_no_manifest_knows_is_named_by_its_hash(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model_folder(tmp_path, manifest=False)
    assert run("compress", plain, "-o", tmp_path / "out", "--model", folder) == 0
    assert "its SHA-256 is" in capsys.readouterr().err


def exact_folder(at: Path) -> Path:
    """A model folder of an exact graph, and of the same graph when it does not say so; no manifest knows it."""
    folder = at / "exact"
    (folder / "onnx").mkdir(parents=True)
    content = exact_graph(vocab=1536)
    (folder / "onnx" / "model_exact.onnx").write_bytes(content)
    # Of the same length, so that the file stays whole.
    (folder / "onnx" / "model_q4f16.onnx").write_bytes(content.replace(b"llmzip.exact", b"llmzip.other"))
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": 1536}))
    (folder / "tokenizer.json").write_bytes((TINY / "tokenizer.json").read_bytes())
    return folder


def test_eps_0_is_for_exact_models(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, packed = exact_folder(tmp_path), tmp_path / "packed"
    command = ["compress", plain, "-o", packed, "--model", folder, "--eps", "0"]
    check_error(capsys, 1, "unsupported", "eps 0 relies on logits", *command, "--variant", "q4f16")
    assert not packed.exists()
    # The variant exact is the default where there is one.
    assert run(*command, "--lanes", "2") == 0
    assert run("decompress", packed, "-o", tmp_path / "back", "--model", folder) == 0
    assert (tmp_path / "back").read_bytes() == PLAIN
    # Not even a container of the right hash is read at eps 0 by a graph that does not say that it is exact.
    (folder / "onnx" / "model_exact.onnx").unlink()
    other = hashlib.sha256((folder / "onnx" / "model_q4f16.onnx").read_bytes()).digest()
    content = packed.read_bytes()
    reader = ByteReader(io.BytesIO(content))
    preamble = read_preamble(reader)
    forged = dataclasses.replace(preamble, model_sha256=other).to_bytes()
    packed.write_bytes(forged + content[len(preamble.to_bytes()) :])
    command = ["decompress", packed, "-o", tmp_path / "forged", "--model", folder]
    check_error(capsys, 1, "unsupported", "but the graph does not say that it is exact", *command)
    assert not (tmp_path / "forged").exists()


def test_inspect_says_whether_a_graph_is_exact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = exact_folder(tmp_path)
    assert run("inspect", "--model", folder) == 0
    assert "exact: yes (the graph says so (llmzip.exact 1) and has only exact ops)\n" in capsys.readouterr().out
    assert run("inspect", "--model", folder, "--variant", "q4f16", "--json") == 0
    view = json.loads(capsys.readouterr().out)
    assert view["exactness"] == {"exact": False, "reason": "the graph does not say that it is exact"}


def test_inspect_for_people_and_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", "--json") == 0
    view = json.loads(capsys.readouterr().out)
    assert view["batch_policy"]["batch"] == "dynamic"
    assert run("inspect", "--variant", "q4") == 0
    shown = capsys.readouterr().out
    for part in (
        "model: tiny, onnx/model_q4.onnx",
        "provider: cpu",
        "batch: dynamic (",
        "exact: no (the graph does not say that it is exact)",
        "opset: ai.onnx ",
        "input_ids",
        "[batch_size, sequence_length]",
        "com.microsoft::MatMulNBits",
    ):
        assert part in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_error(capsys, 1, "io", "No space left", "compress", plain, "-o", "/dev/full")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["compress", "--help"], ["inspect"], ["compress", "-", "-o", "-"]])
def test_data_that_stdout_does_not_take(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        running = process(*arguments, stdin=subprocess.DEVNULL, stdout=full)
        _, shown = running.communicate()
    assert running.returncode == 1
    assert b"error[io]: cannot write" in shown
    assert b"Traceback" not in shown


@posix_only
@pytest.mark.parametrize(
    ("arguments", "descriptor", "message"),
    [
        (["compress", "-", "-o", "OUT"], 0, "cannot read stdin: it is closed"),
        (["decompress", "-", "-o", "OUT"], 0, "cannot read stdin: it is closed"),
        (["runner"], 0, "cannot read stdin: it is closed"),
        (["compress", "PLAIN", "-o", "-"], 1, "cannot write stdout: it is closed"),
        (["inspect"], 1, "cannot write stdout: it is closed"),
        (["--help"], 1, "cannot write stdout: it is closed"),
        (["runner"], 1, "cannot write stdout: it is closed"),
    ],
)
def test_a_stream_that_is_closed(
    plain: Path, tmp_path: Path, arguments: list[str], descriptor: int, message: str
) -> None:
    places = {"PLAIN": plain, "OUT": tmp_path / "out"}
    running = process(*(places.get(each, each) for each in arguments), preexec_fn=lambda: os.close(descriptor))
    _, shown = running.communicate()
    assert running.returncode == 1
    assert shown.decode().splitlines() == [f"error[io]: {message}", "hint: give it a file or a pipe"]
    assert list(tmp_path.iterdir()) == [plain]


@posix_only
@pytest.mark.parametrize("how", ["closed", "full", "unread"])
def test_a_stderr_that_nobody_hears_changes_nothing(plain: Path, tmp_path: Path, how: str) -> None:
    """Nor does what libraries write to the descriptor get anywhere else."""
    (tmp_path / "sitecustomize.py").write_text(NOISE)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, PY_RUNNER / "src")))}

    def end(*arguments: object, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        reader, writer = os.pipe()
        os.close(reader)
        with contextlib.ExitStack() as stack:
            stderr = stack.enter_context(Path("/dev/full").open("wb")) if how == "full" else writer
            stack.callback(os.close, writer)
            return subprocess.run(
                [sys.executable, "-m", "llmzip", *map(str, arguments)],
                check=False,
                env=environment,
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                preexec_fn=(lambda: os.close(2)) if how == "closed" else None,
            )

    out = tmp_path / "out"
    assert end("compress", plain, "-o", out, "--variant", "q4").returncode == 0
    assert run("decompress", out, "-o", tmp_path / "back") == 0
    assert (tmp_path / "back").read_bytes() == PLAIN
    assert end("inspect", "--model", tmp_path / "none").returncode == 2
    assert end("explode").returncode == 2
    hello = json.dumps({"id": 1, "op": "hello", "params": {"protocol": 1}}).encode()
    answered = end("runner", stdin=hello + b"\n")
    assert answered.returncode == 0
    assert json.loads(answered.stdout)["result"]["name"] == "python"


@posix_only
def test_a_disk_that_fills_up_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    import resource  # noqa: PLC0415 - not everywhere

    plain = tmp_path / "plain"
    plain.write_bytes(os.urandom(4_000))
    packing = process(
        "compress",
        plain,
        "-o",
        tmp_path / "out",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000)),
    )
    _, shown = packing.communicate()
    assert packing.returncode == 1
    assert b"error[io]" in shown
    assert list(tmp_path.iterdir()) == [plain]


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP] if sys.platform != "win32" else [])
def test_an_interruption_leaves_no_file(tmp_path: Path, number: int) -> None:
    plain, out = TINY / "samples" / "mixed-100k.txt", tmp_path / "out"
    packing = process("compress", plain, "-o", out)
    # The temporary file is there long before the model is loaded, and the model is at work long after.
    while not list(tmp_path.iterdir()):
        assert packing.poll() is None
    packing.send_signal(number)
    _, shown = packing.communicate()
    assert packing.returncode == 130
    assert b"error[interrupted]" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_defect_is_told_as_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("llmzip.cli._inspect", fail)
    check_error(capsys, 70, "internal", "ZeroDivisionError: by nothing", "inspect")
