"""Which model a command uses, and its loading as the arguments say. Owns the words about it; loading is the library's."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from llmzip.errors import IntegrityError
from llmzip.talk import say, warn

if TYPE_CHECKING:
    from llmzip.container.layout import Preamble
    from llmzip.model.loader import LoadedModel
    from llmzip.model.manifest import ModelRecord, Variant
    from llmzip.model.session import SessionOptions


def chosen_variant(options: argparse.Namespace) -> tuple[ModelRecord, Variant]:
    """The record and the variant that were named, or the default ones."""
    from llmzip.model.loader import record_of  # noqa: PLC0415
    from llmzip.model.provenance import default_model_dir  # noqa: PLC0415

    options.model = options.model or default_model_dir()
    record = record_of(options.model)
    return record, record.variant(options.variant)


def load(options: argparse.Namespace, record: ModelRecord, variant: Variant) -> LoadedModel:
    """Load a variant that was chosen, and say what vouches for it where nothing does."""
    from llmzip.model.loader import load_variant  # noqa: PLC0415

    model = load_variant(options.model, record, variant, _session_options(options), verify=options.verify_sha)
    if not options.verify_sha:
        # Quiet or not: whoever reads the log must see that nothing vouches for what follows.
        warn(f"warning: --no-verify-sha: {model.model_path} was held to no SHA-256; it has {model.model_sha256}")
    elif record.model_sha256(variant) is None:
        say(f"note: no manifest knows {model.model_path}; its SHA-256 is {model.model_sha256}")
    return model


def load_for(options: argparse.Namespace, preamble: Preamble) -> LoadedModel:
    """The model that a container names. Raises `IntegrityError` when it is not in the folder."""
    from llmzip.model.loader import CONFIG_FILE, load_model, record_of  # noqa: PLC0415
    from llmzip.model.model_files import read_model_files  # noqa: PLC0415
    from llmzip.model.provenance import default_model_dir  # noqa: PLC0415

    options.model = options.model or default_model_dir()
    record = record_of(options.model)
    needed = preamble.model_sha256.hex()
    there = {
        variant.file: record.model_sha256(variant) or read_model_files(options.model / variant.file, None).sha256
        for variant in record.variants
    }
    for file, sha256 in there.items():
        if sha256 == needed:
            # Whatever the manifest says of these two, the container's hashes are those that count.
            tokenizer_sha256, config_sha256 = preamble.tokenizer_sha256.hex(), record.sha256.get(CONFIG_FILE)
            return load_model(options.model, file, _session_options(options), needed, tokenizer_sha256, config_sha256)
    raise IntegrityError(
        f"the container was made with the model of SHA-256 {needed}; in {options.model} there is "
        + ", ".join(f"{file} {sha256}" for file, sha256 in there.items()),
        "name the folder of the right model with --model",
    )


def warn_of_single_lanes(model: LoadedModel) -> None:
    """A graph that takes one lane at a time does what it should, but not as fast as lanes are meant to be."""
    policy = model.source.signature.batch_policy
    if policy.batch == "static":
        say(f"warning: lanes run one after another, the graph takes no batch: {policy.reason}")


def _session_options(options: argparse.Namespace) -> SessionOptions:
    from llmzip.model.session import SessionOptions  # noqa: PLC0415

    # `inspect` feeds nothing.
    return SessionOptions(options.threads, options.provider, batch=getattr(options, "batch", None))
