"""Model folders: their layout, their manifest, and that they appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from llmzip.errors import IntegrityError, IoError, UsageError
from llmzip.model.loader import load_variant, record_of
from llmzip.model.provenance import find_record
from llmzip.model.session import SessionOptions
from llmzip.quantize import FLAVOURS, CheckpointError, QuantizeError
from llmzip.quantize.artefacts import Weights, model_folder
from llmzip.quantize.external import data_file_names, split_weights
from llmzip.quantize.manifest import HEAD, FileEntry, Origin, entry, split, with_entry
from support.paths import REPOSITORY, TINY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from llmzip.quantize.artefacts import StagedModel

ORIGIN = Origin("a test", "MIT OR Apache-2.0", 64, 16, 0)
WEIGHTS = Weights("model.safetensors", "ab" * 32)
CONFIG = json.loads((TINY / "config.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def q4f16() -> onnx.ModelProto:
    return onnx.load(TINY / "onnx" / "model_q4f16.onnx")


def staging(out: Path, *, overwrite: bool = False, tokenizer: Path = TINY) -> AbstractContextManager[StagedModel]:
    return model_folder(out, CONFIG, tokenizer, ORIGIN, WEIGHTS, overwrite=overwrite)


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_folder_is_laid_out_as_transformers_js_wants_it(tmp_path: Path, q4f16: onnx.ModelProto) -> None:
    out = tmp_path / "models" / "mine"
    with staging(out) as staged:
        staged.add_graph("q4f16", q4f16)
        staged.add_exact((TINY / "onnx" / "model_exact.onnx").read_bytes())
        staged.add_file("quantization.json", b"{}")
        assert not out.exists()
    assert sorted(tree(out)) == [
        "config.json",
        "generation_config.json",
        "onnx/model_exact.onnx",
        "onnx/model_q4f16.onnx",
        "quantization.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    config = json.loads((out / "config.json").read_bytes())
    assert config.pop("transformers.js_config") == {"kv_cache_dtype": {"q4f16": "float16"}}
    assert config == {name: value for name, value in CONFIG.items() if name != "transformers.js_config"}


def test_the_manifest_has_the_hash_of_every_file_and_the_class_of_every_graph(
    tmp_path: Path, q4f16: onnx.ModelProto
) -> None:
    out = tmp_path / "mine"
    with staging(out) as staged:
        staged.add_graph("q4f16", q4f16)
        staged.add_exact(b"a graph")
    (model,) = tomllib.loads((tmp_path / "manifest.toml").read_text(encoding="utf-8"))["model"]
    hashes = {each["path"]: (each["bytes"], each["sha256"]) for each in model["file"]}
    assert hashes == {name: (len(raw), hashlib.sha256(raw).hexdigest()) for name, raw in tree(out).items()}
    assert [(each["dtype"], each["activation"], each["eps"]) for each in model["variant"]] == [
        ("exact", "exact", "0"),
        ("q4f16", "float16", "2e-2"),
    ]
    made_of = {each.get("source_sha256") for each in model["file"] if each["path"].startswith("onnx/")}
    assert made_of == {WEIGHTS.sha256}


def test_what_was_made_is_loaded_and_held_to_its_hashes(tmp_path: Path, q4f16: onnx.ModelProto) -> None:
    out = tmp_path / "mine"
    with staging(out) as staged:
        staged.add_graph("q4f16", q4f16)
    record = find_record(out)
    assert record is not None
    assert (record.window, record.overlap, record.start_token) == (64, 16, 0)
    load_variant(out, record, record.variant(), SessionOptions(), verify=True)
    (out / "tokenizer.json").write_bytes((out / "tokenizer.json").read_bytes() + b"\n")
    with pytest.raises(IntegrityError, match=r"tokenizer\.json has SHA-256"):
        load_variant(out, record, record.variant(), SessionOptions(), verify=True)


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt])
def test_a_run_that_ends_early_leaves_nothing(tmp_path: Path, end: type[BaseException]) -> None:
    with pytest.raises(end), staging(tmp_path / "mine") as staged:  # noqa: PT012
        staged.add_exact(b"half of it")
        raise end
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_ends_early_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    with staging(out) as staged:
        staged.add_exact(b"first")
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="late"), staging(out, overwrite=True) as staged:  # noqa: PT012
        staged.add_exact(b"second")
        raise ValueError("late")
    assert tree(tmp_path) == before


def test_replaces_only_when_told_to(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    for content, overwrite in ((b"first", False), (b"second", True)):
        with staging(out, overwrite=overwrite) as staged:
            staged.add_exact(content)
    assert (out / "onnx" / "model_exact.onnx").read_bytes() == b"second"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.toml", "mine"]
    with pytest.raises(UsageError, match="already there"), staging(out):
        pass


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    with pytest.raises(UsageError, match="already there"), staging(out) as staged:  # noqa: PT012
        staged.add_exact(b"mine")
        out.mkdir()
        (out / "theirs").write_bytes(b"")
    assert list(tree(tmp_path)) == ["mine/theirs"]


def test_a_manifest_that_cannot_be_written_takes_the_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine"
    with staging(out) as staged:
        staged.add_exact(b"first")
    before = tree(tmp_path)

    def full(_self: Path, _target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(IoError, match="No space left"), staging(out, overwrite=True) as staged:
        staged.add_exact(b"second")
    assert tree(tmp_path) == before


def test_a_disk_that_is_full_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IoError, match="No space left"), staging(tmp_path / "mine") as staged:  # noqa: PT012

        def full(_self: Path, _content: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        staged.add_exact(b"too much")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", "a\\b"])
def test_refuses_a_name_that_no_manifest_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="does not end in a name"), staging(tmp_path / name):
        pass


def test_refuses_a_file_and_a_checkpoint_without_a_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="no folder"), staging(tmp_path / "file", overwrite=True):
        pass
    with (
        pytest.raises(CheckpointError, match=r"has no tokenizer\.json"),
        staging(tmp_path / "mine", tokenizer=tmp_path),
    ):
        pass
    assert list(tree(tmp_path)) == ["file"]


@pytest.mark.parametrize("broken", ["version = 2\n", "version = ", "[[model]]\nfolder = 'x'\n", "\xff"])
def test_refuses_a_broken_manifest_and_leaves_it(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_bytes(broken.encode("latin-1"))
    with pytest.raises((IntegrityError, IoError)), staging(tmp_path / "mine"):
        pass
    assert tree(tmp_path) == {"manifest.toml": broken.encode("latin-1")}


def some_entry(name: str, source: str = "here") -> str:
    return entry(name, Origin(source, "MIT", 8, 2, 0), FLAVOURS.values(), [FileEntry("config.json", 3, "00")])


def test_other_entries_keep_every_byte() -> None:
    text = (REPOSITORY / "models" / "manifest.toml").read_text(encoding="utf-8")
    added = with_entry(text, "mine", some_entry("mine"))
    assert added.startswith(text)
    assert split(added)[1].keys() == {*split(text)[1], "mine"}
    changed = with_entry(added, "mine", some_entry("mine", "elsewhere"))
    assert changed == added.replace('source = "here"', 'source = "elsewhere"')
    assert with_entry(added, "tiny", split(text)[1]["tiny"]) == added


def test_text_in_an_entry_stays_text() -> None:
    awkward = 'a "quoted" \\ path\n[[model]]\nname = "tiny"'
    text = with_entry(HEAD, "mine", some_entry("mine", awkward))
    (model,) = tomllib.loads(text)["model"]
    assert model["source"] == awkward


def test_entries_that_cannot_be_told_apart_are_left_alone() -> None:
    text = HEAD + '\nmodel = [{name = "tiny", folder = "tiny"}]\n'
    with pytest.raises(IntegrityError, match="manifest"):
        with_entry(text, "mine", some_entry("mine"))


def files(model: onnx.ModelProto, folder: Path, mib: int) -> tuple[onnx.ModelProto, list[Path]]:
    pointing, count = split_weights(model, "model.onnx", mib, lambda name: (folder / name).open("xb"))
    return pointing, [folder / name for name in data_file_names("model.onnx", count)]


def test_split_weights_come_back_whole(tmp_path: Path, q4f16: onnx.ModelProto) -> None:
    pointing, paths = files(q4f16, tmp_path, 1)
    assert [path.name for path in paths] == ["model.onnx_data", "model.onnx_data_1"]
    assert all(path.stat().st_size <= 1 << 20 for path in paths)
    (tmp_path / "model.onnx").write_bytes(pointing.SerializeToString())
    assert (tmp_path / "model.onnx").stat().st_size < 100_000
    found = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(tmp_path / "model.onnx").graph.initializer}
    wanted = {t.name: onnx.numpy_helper.to_array(t) for t in q4f16.graph.initializer}
    assert list(found) == list(wanted)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_the_config_says_how_many_files_there_are(tmp_path: Path, q4f16: onnx.ModelProto) -> None:
    with staging(tmp_path / "mine") as staged:
        staged.add_graph("q4f16", q4f16, split_mib=1)
    config = json.loads((tmp_path / "mine" / "config.json").read_bytes())
    assert config["transformers.js_config"]["use_external_data_format"] == {"model_q4f16.onnx": 2}
    (model,) = tomllib.loads((tmp_path / "manifest.toml").read_text(encoding="utf-8"))["model"]
    names = ["onnx/model_q4f16.onnx_data", "onnx/model_q4f16.onnx_data_1"]
    assert [each.get("data") for each in model["variant"]] == [names]
    assert set(names) < {each["path"] for each in model["file"]}


def test_a_split_model_is_held_to_the_hashes_of_all_its_files(tmp_path: Path, q4f16: onnx.ModelProto) -> None:
    out = tmp_path / "mine"
    with staging(out) as staged:
        staged.add_graph("q4f16", q4f16, split_mib=1)
    record = record_of(out)
    variant = record.variant("q4f16")
    loaded = load_variant(out, record, variant, SessionOptions(), verify=True)
    assert loaded.model_sha256 == record.model_sha256(variant)
    for name in variant.data:
        content = (out / name).read_bytes()
        (out / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(IntegrityError):
            load_variant(out, record, variant, SessionOptions(), verify=True)
        (out / name).write_bytes(content)


def big(count: int, size: int) -> Iterator[onnx.TensorProto]:
    for index in range(count):
        yield onnx.numpy_helper.from_array(np.zeros(size, np.uint8), f"t{index}")


@pytest.mark.parametrize(
    ("count", "size", "message"),
    [(1, (1 << 20) + 1, "t0 has 2 MiB, more than the 1 MiB"), (101, 1 << 20, "would be 101 files")],
)
def test_refuses_weights_that_cannot_be_split_so(tmp_path: Path, count: int, size: int, message: str) -> None:
    model: Any = onnx.ModelProto()
    model.graph.initializer.extend(big(count, size))
    with pytest.raises(QuantizeError, match=message):
        files(model, tmp_path, 1)
    assert list(tmp_path.iterdir()) == []
