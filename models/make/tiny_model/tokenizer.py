"""The byte-level BPE tokenizer: trains it and writes its files. Owns tokenizer*.json."""

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from .corpus import documents
from .files import write_json
from .shape import BOS_ID, END_OF_TEXT, EOS_ID, MESSAGE_END, MESSAGE_START, SPECIAL_TOKENS, TINY_SHAPE

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")

_DOCUMENTS = 3000


def train_tokenizer(sources: Iterable[str]) -> Tokenizer:
    """Train on the training split and `sources`: single digits, then byte-level words; all 256 bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TINY_SHAPE.vocab,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(chain(islice(documents("train"), _DOCUMENTS), sources), trainer)
    if tokenizer.get_vocab_size() != TINY_SHAPE.vocab:
        raise RuntimeError(
            f"the tokenizer has {tokenizer.get_vocab_size()} tokens instead of {TINY_SHAPE.vocab}: "
            "give it more text to train on"
        )
    return tokenizer


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json into `folder`."""
    tokenizer.save(str(folder / "tokenizer.json"))
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    config = {
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(i): {"content": token, **flags, "special": True} for i, token in enumerate(SPECIAL_TOKENS)
        },
        "bos_token": MESSAGE_START,
        "clean_up_tokenization_spaces": False,
        "eos_token": MESSAGE_END,
        "model_max_length": TINY_SHAPE.positions,
        "pad_token": MESSAGE_END,
        # Not GPT2Tokenizer: transformers 5 gives that class a pre-tokenizer of its own, without the digits.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": END_OF_TEXT,
    }
    write_json(folder / "tokenizer_config.json", config)
    names = {"bos": BOS_ID, "eos": EOS_ID, "pad": EOS_ID, "unk": 0}
    write_json(
        folder / "special_tokens_map.json",
        {f"{name}_token": {"content": SPECIAL_TOKENS[i], **flags} for name, i in names.items()},
    )
