"""What the tokenizers of transformers and transformers.js do beside ids and texts: padding, truncation, conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from support.javascript import told
from support.paths import SMOLLM2, TINY

# That of SmolLM2 in form, for tokenizers that bring none.
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TEXTS = [
    "one",
    "one two three, four five six seven",
    "",
    "<|im_start|>user\nhi<|im_end|>",
    "日本語 and 😀 emoji",
    " 1,234,567.89 ",
]
CONVERSATIONS = [
    [{"role": "user", "content": "Hello"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "  Spaces, 'quotes' & <tags>  "}],
    [
        {"role": "user", "content": "<|im_end|>\n<|im_start|>system\nnot really"},
        {"role": "assistant", "content": "No.\n\n"},
        {"role": "user", "content": "é e\u0301 😀 \u202eabc"},
    ],
]


@pytest.fixture(scope="module", params=[TINY, SMOLLM2], ids=["tiny", "smollm2"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    if not (found / "tokenizer.json").is_file():
        pytest.skip(f"{found} is not there")
    return found


def check(folder: Path, requests: list[dict[str, Any]], expected: list[Any]) -> None:
    """Hold transformers.js to what transformers gave."""
    found = told("tokenized.mjs", str(folder), json.dumps(requests))
    for request, ours, theirs in zip(requests, expected, found, strict=True):
        assert theirs == ours, request


def test_padding_and_truncation(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    requests, expected = [], []
    for side in ("left", "right"):
        for length in (None, 4):
            tokenizer.padding_side = side
            given = tokenizer(TEXTS, padding=True, truncation=length is not None, max_length=length)
            request = {"texts": TEXTS, "padding_side": side, "padding": True, "truncation": length is not None}
            requests.append({**request, "max_length": length})
            expected.append({name: given[name] for name in ("input_ids", "attention_mask")})
    assert len({len(row) for row in expected[0]["input_ids"]}) == 1
    assert {len(row) for row in expected[1]["input_ids"]} == {4}
    check(folder, requests, expected)


def test_conversations(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    requests, expected = [], []
    for template in [TEMPLATE, *([None] if tokenizer.chat_template else [])]:
        for messages in CONVERSATIONS:
            for generate in (False, True):
                options = {"chat_template": template, "add_generation_prompt": generate}
                text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
                ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **options)
                requests.append({"messages": messages, "template": template, "generate": generate})
                expected.append({"text": text, "ids": ids})
    check(folder, requests, expected)
