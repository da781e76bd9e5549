import hashlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from llmzip.codec.tree import log_probs
from support.paths import SMOLLM2, TINY
from support.runner import RunnerProcess, check_message

SEQUENCE = "\n".join(map(str, range(1, 201)))
POLICY = {"start_token": 0, "window": 512, "overlap": 128}
NOISE = """
import builtins, os
plain_import = builtins.__import__
def noisy_import(name, *rest, **more):
    if name.partition(".")[0] in ("numpy", "onnxruntime", "tokenizers", "transformers", "onnx"):
        print('{"id": 1, "result": "printed"}', flush=True)
        os.write(1, b"written\\n")
    return plain_import(name, *rest, **more)
builtins.__import__ = noisy_import
"""


@pytest.fixture(scope="module")
def runner() -> Iterator[RunnerProcess]:
    """One process for the requests that leave nothing behind."""
    with RunnerProcess() as process:
        process.ask("hello", protocol=1)
        assert "vocab_size" in process.load_tiny()
        yield process


def test_a_whole_conversation(tmp_path: Path) -> None:
    with RunnerProcess() as runner:
        hello = runner.ask("hello", protocol=1)
        assert hello["name"] == "python"
        assert hello["fingerprint"]["threads"] is None
        for op in hello["ops"]:
            check_message(
                "request", {"id": 1, "op": op, "params": {"protocol": 1}} if op == "hello" else {"id": 1, "op": "bye"}
            )
        loaded = runner.load_tiny()
        assert loaded["fingerprint"]["graph_optimization"] == "all"
        assert loaded["fingerprint"]["threads"] == 1
        assert (loaded["vocab_size"], loaded["logits_type"]) == (1536, "float32")
        ids = runner.ask("tokenize", text=SEQUENCE)["ids"]
        assert runner.ask("detokenize", ids=ids)["text"] == SEQUENCE
        plain = tmp_path / "plain"
        plain.write_bytes(SEQUENCE.encode() + b"\xff")
        files = {"input_file": str(plain), "output_file": str(tmp_path / "container")}
        packed = runner.ask("compress", **files, lanes=3, eps="2e-2", frame_bytes=1 << 20, **POLICY)
        assert packed["container_bytes"] == (tmp_path / "container").stat().st_size
        assert packed["tokens_sha256"] == hashlib.sha256(np.array(ids, "<u4").tobytes()).hexdigest()
        files = {"input_file": str(tmp_path / "container"), "output_file": str(tmp_path / "back")}
        unpacked = runner.ask("decompress", **files)
        assert unpacked == {key: packed[key] for key in unpacked}
        assert (tmp_path / "back").read_bytes() == plain.read_bytes()
        assert runner.progress
        assert runner.ask("bye") == {}
        assert runner.process.wait() == 0


def test_inspect(runner: RunnerProcess) -> None:
    view = runner.ask("inspect")
    assert view["batch_policy"]["batch"] == "dynamic"
    assert view["provider"] == "cpu"
    assert view["inputs"][0]["name"] == "input_ids"
    assert view["ops"]["com.microsoft::MatMulNBits"] > 0
    assert set(view["opset"]) >= {""}


@pytest.mark.parametrize("plan", [{"lanes": 1, "chunk": 1}, {"lanes": 1, "chunk": 64}, {"lanes": 4, "chunk": 1}])
def test_logprobs_are_the_bits_of_the_graph(runner: RunnerProcess, tmp_path: Path, plan: dict[str, int]) -> None:
    ids = runner.ask("tokenize", text=SEQUENCE)["ids"]
    files = {name: str(tmp_path / name) for name in ("logits_file", "coded_file", "rows_file")}
    result = runner.ask("logprobs", ids=ids, plan=plan, **POLICY, **files)
    assert result == {"rows": len(ids), "vocab_size": 1536, "logits_type": "float32"}
    logits = np.fromfile(files["logits_file"], "<f4").reshape(len(ids), 1536)
    rows = np.fromfile(files["rows_file"], "<f8").reshape(len(ids), 1536)
    assert np.array_equal(rows, log_probs(logits))
    assert np.array_equal(np.fromfile(files["coded_file"], "<f8"), rows[np.arange(len(ids)), ids])
    again = {name: str(tmp_path / f"{name} again") for name in ("logits_file", "coded_file")}
    runner.ask("logprobs", ids=ids, plan=plan, **POLICY, **again)
    assert Path(files["logits_file"]).read_bytes() == Path(again["logits_file"]).read_bytes()


@pytest.mark.parametrize(
    ("op", "params", "code", "text"),
    [
        ("dance", {}, "unsupported", "no operation 'dance'"),
        ("hello", {"protocol": 2}, "usage", "protocol 2"),
        ("hello", {}, "usage", "'protocol' is missing"),
        ("hello", {"protocol": 1, "more": 1}, "usage", "no parameter 'more'"),
        ("hello", [], "usage", "params is not an object"),
        ("tokenize", {"text": 1}, "usage", "'text' is not a string"),
        ("detokenize", {"ids": [1.5]}, "usage", "'ids' is not a list of whole numbers"),
        ("detokenize", {"ids": [True]}, "usage", "'ids' is not a list of whole numbers"),
        ("detokenize", {"ids": [1536]}, "usage", "no token of id 1536"),
        ("logprobs", {"ids": [1536]}, "usage", "missing"),
        ("compress", {"eps": "1e-13"}, "usage", "eps is '1e-13'"),
        (
            "decompress",
            {"input_file": "relative", "output_file": "/x"},
            "usage",
            "'input_file' is not an absolute path",
        ),
    ],
)
def test_wrong_requests(runner: RunnerProcess, op: str, params: object, code: str, text: str) -> None:
    runner._id += 1
    runner.send(json.dumps({"id": runner._id, "op": op, "params": params}).encode() + b"\n")
    reply = runner.reply()
    assert reply["id"] == runner._id
    assert reply["error"]["code"] == code
    assert text in reply["error"]["message"]


def test_a_line_that_is_too_long_is_skipped() -> None:
    with RunnerProcess() as runner:
        runner.send(b'{"id": 5, "op": "' + b"a" * (64 << 20) + b'"}\n')
        assert runner.reply()["error"]["code"] == "usage"
        assert runner.ask("hello", protocol=1)["protocol"] == 1
        assert runner.close() == 0


def test_errors_of_files_leave_nothing_behind(runner: RunnerProcess, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert runner.ask("decompress", input_file=str(tmp_path / "none"), output_file=out)["code"] == "io"
    (tmp_path / "text").write_text("not a container")
    assert runner.ask("decompress", input_file=str(tmp_path / "text"), output_file=out)["code"] == "format"
    how = {"lanes": 1, "eps": "2e-2", "frame_bytes": 1000, **POLICY}
    source = str(tmp_path / "text")
    for unusable in (tmp_path / "no" / "out", Path(source) / "out", tmp_path / ("x" * 300)):
        assert runner.ask("compress", input_file=source, output_file=str(unusable), **how)["code"] == "io"
    wrong = how | {"start_token": 1536}
    assert runner.ask("compress", input_file=source, output_file=out, **wrong)["code"] == "usage"
    files = {"logits_file": out, "coded_file": str(tmp_path / "no" / "coded")}
    assert runner.ask("logprobs", ids=[1], plan={"lanes": 1, "chunk": 1}, **POLICY, **files)["code"] == "io"
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_a_wrong_hash_is_integrity_and_leaves_no_model() -> None:
    with RunnerProcess() as runner:
        for name in ("model_sha256", "tokenizer_sha256"):
            runner.load_tiny()
            error = runner.load_tiny(**{name: "0" * 64})
            assert error["code"] == "integrity"
            assert "0" * 64 in error["message"]
            assert runner.ask("tokenize", text="a")["code"] == "usage"
        assert runner.load_tiny(provider="cuda")["code"] == "unsupported"
        assert runner.load_tiny(model_file="onnx/none.onnx")["code"] == "setup"
        assert runner.load_tiny("q4", graph_optimization="disabled", threads=2)["fingerprint"]["threads"] == 2


@pytest.mark.skipif(not SMOLLM2.is_dir(), reason="the SmolLM2 tokenizer is not part of a clone")
def test_a_tokenizer_of_another_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    for name in ("config.json", "onnx/model_q4f16.onnx"):
        (tmp_path / name).write_bytes((TINY / name).read_bytes())
    tokenizer = (SMOLLM2 / "tokenizer.json").read_bytes()
    (tmp_path / "tokenizer.json").write_bytes(tokenizer)
    with RunnerProcess() as runner:
        error = runner.load_tiny(model_dir=str(tmp_path), tokenizer_sha256=hashlib.sha256(tokenizer).hexdigest())
        assert error["code"] == "vocabulary"


def test_what_libraries_print_does_not_reach_the_replies(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOISE)
    with RunnerProcess(first_on_path=tmp_path) as runner:
        assert runner.ask("hello", protocol=1)["name"] == "python"
        assert runner.load_tiny()["vocab_size"] == 1536
        assert runner.ask("inspect")["provider"] == "cpu"
        assert runner.close() == 0
        assert "printed" in runner.stderr()
        assert "written" in runner.stderr()


def test_the_end_of_stdin_is_a_good_end() -> None:
    with RunnerProcess() as runner:
        assert runner.close() == 0
        assert runner.stderr() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_request_leaves_no_file(tmp_path: Path, number: signal.Signals) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes((TINY / "samples" / "mixed-100k.txt").read_bytes())
    with RunnerProcess() as runner:
        runner.load_tiny()
        request = {"input_file": str(plain), "output_file": str(tmp_path / "out"), "lanes": 1, "eps": "2e-2"}
        runner.send(
            json.dumps({"id": 9, "op": "compress", "params": request | POLICY | {"frame_bytes": 1 << 20}}).encode()
            + b"\n"
        )
        assert "progress" in runner.reply()
        assert len(list(tmp_path.iterdir())) == 2
        runner.process.send_signal(number)
        assert runner.process.wait() == 130
        assert list(tmp_path.iterdir()) == [plain]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_a_reader_that_is_gone_ends_the_runner() -> None:
    with RunnerProcess() as runner:
        assert runner.process.stdout is not None
        runner.process.stdout.close()
        runner.send(b'{"id": 1, "op": "hello", "params": {"protocol": 1}}\n')
        assert runner.process.wait() == 1
        assert "reader of the replies is gone" in runner.stderr()
        runner.process.stdout = open("/dev/null", "rb")  # noqa: PTH123, SIM115 - closed with the process
