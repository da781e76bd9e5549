"""Checkpoints of a real model's exact shape with random weights, for what the size of a model decides: speed and scale. Owns those shapes
and the making of such a checkpoint; what becomes of it is what becomes of any other.

The weights follow from the seed by integer arithmetic, one multiplication and one rounding, so that the same seed gives the same bytes on
every machine and with every version of numpy.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from llmzip.errors import IoError, UsageError

from .checkpoint import linear_shapes
from .config import DecoderConfig
from .nbits import PRESETS, NbitsSettings

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
)
"""Beside config.json and the weights; only the first must be there."""

Progress = Callable[[int, int], None]
"""Called with the number of tensors that are done, and of all."""

_AT_ONCE = 1 << 20
# Four uniform 16-bit numbers added: a bell of this mean and deviation.
_PARTS, _MEAN, _DEVIATION = 4, 2 * 65535, (4 * (65536**2 - 1) / 12) ** 0.5
_NORM_DEVIATION = 0.1


@dataclass(frozen=True)
class StandIn:
    """A model to stand in for: its `config.json`, and how its ONNX file is quantised."""

    config: dict[str, Any]
    settings: NbitsSettings


STAND_INS = {
    "smollm2-135m": StandIn(
        config={
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "hidden_act": "silu",
            "hidden_size": 576,
            "initializer_range": 0.041666666666666664,
            "intermediate_size": 1536,
            "is_llama_config": True,
            "max_position_embeddings": 8192,
            "mlp_bias": False,
            "model_type": "llama",
            "num_attention_heads": 9,
            "num_hidden_layers": 30,
            "num_key_value_heads": 3,
            "pad_token_id": 2,
            "pretraining_tp": 1,
            "rms_norm_eps": 1e-05,
            "rope_interleaved": False,
            "rope_scaling": None,
            "rope_theta": 100000,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "transformers_version": "4.42.3",
            "use_cache": True,
            "vocab_size": 49152,
        },
        settings=PRESETS["transformers-js"],
    )
}
"""By the name that `--stand-in` takes."""


def stand_in(name: str) -> StandIn:
    """The stand-in of that name. Raises UsageError."""
    if name not in STAND_INS:
        raise UsageError(f"there is no stand-in {name!r}", f"use one of {', '.join(STAND_INS)}")
    return STAND_INS[name]


def make_checkpoint(
    chosen: StandIn, folder: Path, seed: int, tokenizer: Path, progress: Progress = lambda _done, _all: None
) -> None:
    """Write config.json, model.safetensors (bfloat16) and the tokenizer's files, which are copied from the folder `tokenizer`.

    `folder` must be there; `seed` is any whole number that is not negative. Raises IoError, and UsageError when there is no tokenizer.
    """
    if not (tokenizer / TOKENIZER_FILES[0]).is_file():
        raise UsageError(f"{tokenizer} has no {TOKENIZER_FILES[0]}", "name a folder that has the model's tokenizer")
    path = folder / "model.safetensors"
    try:
        (folder / "config.json").write_text(json.dumps(chosen.config, indent=2) + "\n", encoding="utf-8")
        for name in TOKENIZER_FILES:
            if (tokenizer / name).is_file():
                shutil.copyfile(tokenizer / name, folder / name)
        shapes = _shapes(DecoderConfig.read(folder / "config.json"))
        with path.open("xb") as file:
            file.write(_header(shapes))
            for index, shape in enumerate(shapes.values()):
                progress(index, len(shapes))
                _write_tensor(file, shape, [seed, index], float(chosen.config["initializer_range"]))
    except OSError as error:
        raise IoError.writing(path, error) from error
    progress(len(shapes), len(shapes))


def _shapes(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """The tensors of a Llama checkpoint, in the order of the file."""
    hidden = (config.hidden_size,)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config.vocab_size, config.hidden_size)}
    for layer in range(config.num_hidden_layers):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.{name}.weight": shape for name, shape in linear_shapes(config).items()}
        shapes |= {f"{at}.{name}.weight": hidden for name in ("input_layernorm", "post_attention_layernorm")}
    shapes["model.norm.weight"] = hidden
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, config.hidden_size)
    return shapes


def _header(shapes: dict[str, tuple[int, ...]]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        end = at + 2 * int(np.prod(shape))
        entries[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write_tensor(file: BinaryIO, shape: tuple[int, ...], seed: list[int], deviation: float) -> None:
    """Matrices of the deviation that config.json states, around 0; norms around 1."""
    mean, spread = (0.0, deviation) if len(shape) == 2 else (1.0, _NORM_DEVIATION)
    for bell in _bells(int(np.prod(shape)), seed):
        file.write(_bfloat16((mean + bell * (spread / _DEVIATION)).astype(np.float32)).tobytes())


def _bells(count: int, seed: list[int]) -> Iterator[npt.NDArray[np.int64]]:
    """Numbers of a bell around 0, in pieces. numpy promises the bits of the generator, though not those of its distributions."""
    generator = np.random.PCG64(np.random.SeedSequence(seed))
    for first in range(0, count, _AT_ONCE):
        raw = generator.random_raw(min(_AT_ONCE, count - first)).astype("<u8").view("<u2")
        yield raw.reshape(-1, _PARTS).astype(np.int64).sum(axis=1) - _MEAN


def _bfloat16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """The nearest bfloat16, ties to even, as bits."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
