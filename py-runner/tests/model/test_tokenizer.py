import pytest

from llmzip.container.runs import join_runs, split_runs
from llmzip.errors import ModelError
from llmzip.model.tokenizer import Tokenizer
from support.paths import SMOLLM2, TINY

SEQUENCE = "\n".join(map(str, range(1, 1001)))
AWKWARD = [
    "",
    "a  b , c . d 's n't",
    "<|im_start|>user<|im_end|><|endoftext|>",
    "é e\u0301 \u00a0 \u200d \ufeff",
    "日本語 العربية हिन्दी 😀👩‍👩‍👧",
    "\r\n\t\x00\x7f",
    " " * 70,
]


@pytest.fixture(scope="module", params=["tiny", "smollm2"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    folder = TINY if request.param == "tiny" else SMOLLM2
    if not (folder / "tokenizer.json").is_file():
        pytest.skip(f"{folder} is not part of a clone")
    return Tokenizer((folder / "tokenizer.json").read_bytes())


def test_the_sequence_is_a_token_a_character(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(SEQUENCE)
    assert len(ids) == 3892
    assert tokenizer.decode(ids) == SEQUENCE


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_comes_back(tokenizer: Tokenizer, text: str) -> None:
    plain = text.encode()
    split = split_runs(plain, tokenizer)
    assert join_runs(split.runs, split.ids, split.literals, tokenizer, len(plain)) == plain


def test_special_tokens_are_recognised_kept_and_not_added(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("<|im_start|>") == [1]
    assert tokenizer.decode([1, 2, 0]) == "<|im_start|><|im_end|><|endoftext|>"
    assert 1 not in tokenizer.encode("text")


def test_every_byte_comes_back(tokenizer: Tokenizer) -> None:
    for byte in range(256):
        for plain in (bytes([byte]), b"a" + bytes([byte, byte]) + b" b"):
            split = split_runs(plain, tokenizer)
            assert join_runs(split.runs, split.ids, split.literals, tokenizer, len(plain)) == plain


def test_an_id_without_a_token_stands_for_nothing(tokenizer: Tokenizer) -> None:
    for wrong in (-1, tokenizer.size, 1 << 60):
        assert not tokenizer.has(wrong)
        assert tokenizer.decode([5, wrong]) == tokenizer.decode([5])
    assert all(tokenizer.has(token) for token in tokenizer.encode(SEQUENCE))


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[1]"])
def test_what_is_no_tokenizer(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"tokenizer\.json is not a tokenizer"):
        Tokenizer(content)
