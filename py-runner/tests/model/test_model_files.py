"""Weights in files beside the ONNX file: found, hashed and loaded as one model, or refused."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import set_external_data

from llmzip.errors import IntegrityError, LlmzipError, ModelError, SetupError, UnsupportedError
from llmzip.model.exactness import METADATA_KEY
from llmzip.model.external import MAX_DATA_FILES, read_external_data
from llmzip.model.identity import model_identity
from llmzip.model.model_files import ModelFiles, one_file, read_model_files
from llmzip.model.session import Session, SessionOptions
from support.graphs import CONFIG, graph

Entries = list[tuple[str, str]]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def naming(*places: Entries) -> onnx.ModelProto:
    """A model with an initializer at each of these places."""
    model = onnx.ModelProto()
    for place in places or ([],):
        tensor = model.graph.initializer.add(data_location=onnx.TensorProto.EXTERNAL)
        for key, value in place:
            tensor.external_data.add(key=key, value=value)
    return model


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """The test graph with its floats in a file for each tensor."""
    model = onnx.load_model_from_string(graph())
    for tensor in model.graph.initializer:
        # The runtime wants to see numbers that shapes depend on before it takes weights from elsewhere.
        if tensor.data_type == onnx.TensorProto.FLOAT:
            set_external_data(tensor, f"{tensor.name}.bin")
    onnx.save_model(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_one_hash_covers_all_files_and_the_rows_are_those_of_one_file(split: Path) -> None:
    names = sorted(path.name for path in split.parent.iterdir() if path != split)
    assert names
    list_of_files = f"files\n{digest(split.read_bytes())}\n" + "".join(
        f"{digest((split.parent / name).read_bytes())}  {name}\n" for name in names
    )
    files = read_model_files(split, digest(list_of_files.encode()))
    assert sorted(files.data) == names
    rows = []
    for each in (files, one_file(graph())):
        session = Session(each, CONFIG, SessionOptions())
        session.reset(1)
        rows.append(session.feed(np.array([[1, 2, 3]], np.uint32)))
    np.testing.assert_array_equal(rows[0], rows[1])


def test_what_is_loaded_is_what_was_hashed(split: Path) -> None:
    """Files that change after they were read change nothing."""
    files = read_model_files(split, None)
    for name in files.data:
        (split.parent / name).unlink()
    Session(files, CONFIG, SessionOptions())


def test_a_model_that_is_one_file_has_the_hash_of_the_file(tmp_path: Path) -> None:
    for content in (graph(), b"location, but no model", naming([("location", "/a")]).SerializeToString()):
        (tmp_path / "model.onnx").write_bytes(content)
        assert read_model_files(tmp_path / "model.onnx", digest(content)) == one_file(content)
        assert model_identity(digest(content), {}) == digest(content)


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


@pytest.mark.parametrize(
    ("change", "error"),
    [(changed, IntegrityError), (lambda path: path.write_bytes(b""), IntegrityError), (Path.unlink, SetupError)],
    ids=["changed", "empty", "missing"],
)
def test_other_files_are_refused(split: Path, change: Callable[[Path], None], error: type[LlmzipError]) -> None:
    whole = read_model_files(split, None)
    for name in whole.data:
        kept = (split.parent / name).read_bytes()
        change(split.parent / name)
        with pytest.raises(error, match=name) as caught:
            read_model_files(split, whole.sha256)
        assert caught.value.hint
        (split.parent / name).write_bytes(kept)
    with pytest.raises(IntegrityError):
        read_model_files(split, digest(split.read_bytes()))


def test_a_file_that_is_too_short_is_refused_though_its_hash_is_right(split: Path) -> None:
    name = max(read_model_files(split, None).data)
    (split.parent / name).write_bytes(b"")
    with pytest.raises(ModelError, match=rf"{name} has 0 bytes, but a weight ends at byte [1-9]"):
        read_model_files(split, None)


@pytest.mark.parametrize(
    "place",
    [
        [],
        *(
            [("location", name), ("length", "1")]
            for name in ("", ".", "..", "a/b", "/a", "..\\a", "C:a", "a\nb", "\u00e4", "*/_ORT_MEM_ADDR_/*", "a" * 256)
        ),
        *([("location", "a"), ("length", number)] for number in ("", "-1", "+1", " 1", "1e3", "\u0661", "1" * 16)),
        *([("location", "a"), ("length", "1"), ("offset", number)] for number in ("-1", "0x1")),
        [("location", "a")],
        [("location", "a"), ("location", "a"), ("length", "1")],
        [("location", "a"), ("length", "1"), ("length", "1")],
        [("location", "a"), ("length", "1"), ("prepacked_0", "0;1")],
    ],
    ids=str,
)
def test_places_that_are_none_are_refused(place: Entries) -> None:
    content = naming(place, [("location", "b"), ("length", "1")]).SerializeToString()
    with pytest.raises(ModelError, match=" weight ") as caught:
        read_external_data(content)
    assert caught.value.hint


def test_the_part_of_a_file_that_is_used() -> None:
    model = naming(
        [("location", "b"), ("offset", "64"), ("length", "8")],
        [("location", "a"), ("length", "5"), ("checksum", "00")],
        [("location", "b"), ("offset", "0"), ("length", "64")],
    )
    assert read_external_data(model.SerializeToString()).ends == {"a": 5, "b": 72}


def test_weights_in_too_many_files_are_refused() -> None:
    places = [[("location", f"w{index}"), ("length", "1")] for index in range(MAX_DATA_FILES + 1)]
    assert len(read_external_data(naming(*places[1:]).SerializeToString()).ends) == MAX_DATA_FILES
    with pytest.raises(ModelError, match="too many files"):
        read_external_data(naming(*places).SerializeToString())


def hidden_in_a_constant(model: onnx.ModelProto) -> None:
    _hide(model.graph.node.add().attribute.add().t)


def hidden_in_a_subgraph(model: onnx.ModelProto) -> None:
    _hide(model.graph.node.add().attribute.add().g.initializer.add())


def hidden_in_a_function(model: onnx.ModelProto) -> None:
    _hide(model.functions.add().node.add().attribute.add().t)


def hidden_in_a_sparse_tensor(model: onnx.ModelProto) -> None:
    _hide(model.graph.sparse_initializer.add().values)


def exact(model: onnx.ModelProto) -> None:
    model.metadata_props.add(key=METADATA_KEY, value="1")


def without_its_file(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].external_data[0].value = "c"


def _hide(tensor: onnx.TensorProto) -> None:
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="a")


@pytest.mark.parametrize(
    "change",
    [
        hidden_in_a_constant,
        hidden_in_a_subgraph,
        hidden_in_a_function,
        hidden_in_a_sparse_tensor,
        exact,
        without_its_file,
    ],
)
def test_weights_where_no_runner_looks_are_refused(change: Callable[[onnx.ModelProto], None]) -> None:
    model = naming([("location", "a"), ("length", "1")])
    ModelFiles(model.SerializeToString(), {"a": b"1"}).check()
    change(model)
    with pytest.raises(UnsupportedError):
        ModelFiles(model.SerializeToString(), {"a": b"1"}).check()
