"""A trial of an exact graph in ONNX Runtime: one pass, token by token and lanes. Owns the comparison of their bits; builds nothing.

The checker proves that arithmetic is the same in every engine. That a graph computes the same however a text is fed to it is not its
business: a graph that multiplied its logits by the length of the pass would be as exact. This is no proof, but a trial.
"""

from dataclasses import asdict

import numpy as np

from llmzip.quantize.config import DecoderConfig
from llmzip.quantize.drive import Caches, Driver, Ids, Logits
from llmzip.quantize.errors import QuantizeError

_LANES = 2
_MOST_TOKENS = 6
"""A few show what there is to see, and cost little with any model."""
_SEED = 1
_HINT = "use another variant of the model; such a graph must not be taken as exact"
Outcome = tuple[Logits, Caches]


def try_plans(content: bytes, config: DecoderConfig) -> None:
    """Run a graph on random ids in one pass, token by token and in two lanes. Raises QuantizeError where bits of logits or cache differ."""
    length = min(_MOST_TOKENS, config.max_position_embeddings)
    ids = np.random.default_rng(_SEED).integers(0, config.vocab_size, (_LANES, length))
    try:
        driver = Driver(content, asdict(config))
        alone = [_whole(driver, ids[lane : lane + 1]) for lane in range(_LANES)]
        plans = {
            "in one pass of two lanes": _whole(driver, ids),
            "token by token": _stepped(driver, ids[:1]),
            "token by token in two lanes": _stepped(driver, ids),
        }
    except QuantizeError as error:
        raise QuantizeError(f"the exact graph cannot be tried: {error.message}", _HINT) from error
    for logits, _ in alone:
        if not np.isfinite(logits).all():
            raise QuantizeError("the exact graph gives logits that are not finite", _HINT)
    for plan, (logits, caches) in plans.items():
        for lane in range(len(logits)):
            part = slice(lane, lane + 1)
            found = logits[part], {name: cache[part] for name, cache in caches.items()}
            what = _difference(found, alone[lane])
            if what is not None:
                raise QuantizeError(
                    f"the exact graph gives other bits of {what} {plan} than in one pass of one lane, on {length} ids",
                    _HINT,
                )


def _whole(driver: Driver, ids: Ids) -> Outcome:
    return driver.feed(ids, driver.empty(len(ids)), 0)


def _stepped(driver: Driver, ids: Ids) -> Outcome:
    rows, caches = [], driver.empty(len(ids))
    for at in range(ids.shape[1]):
        logits, caches = driver.feed(ids[:, at : at + 1], caches, at)
        rows.append(logits)
    return np.concatenate(rows, axis=1), caches


def _difference(found: Outcome, expected: Outcome) -> str | None:
    """The first of logits and caches whose bits, type or shape differ."""
    pairs = {"the logits": (found[0], expected[0])}
    pairs |= {name: (cache, expected[1][name]) for name, cache in found[1].items()}
    for name, (a, b) in pairs.items():
        if (a.dtype, a.shape) != (b.dtype, b.shape) or a.tobytes() != b.tobytes():
            return name
    return None
