"""Makes `declarations.json`: what decoder graphs may declare of their batch and sequence dimensions, and what must follow from it.

The rule is PROTOCOL.md's ("Batch and sequence"), written here a fourth time and in another form, so that a table cannot inherit the slip of
one implementation. Every combination of batch dimensions is in it, every combination of sequence dimensions, and some of both.

A case is one word of two letters for each tensor, in the order of `TENSORS`: the batch's and the sequence's.

    n  a symbol with a name      a  a symbol without one      digits  that size      --  the graph has no such tensor
"""

from __future__ import annotations

import itertools
import json
import random
from collections import defaultdict
from pathlib import Path

TENSORS = ["input_ids", "attention_mask", "position_ids", "past_key_values.0.key", "logits", "present.0.key"]
IDS, MASK, POSITIONS, PAST, LOGITS, PRESENT = range(6)
ABSENT = "--"
SEED = 5


def outcome(case: list[str]) -> dict[str, object]:
    """What must follow: a refusal, or the batch policy with its reason and how many ids a pass takes (None for any number)."""
    there = [(name, word) for name, word in zip(TENSORS, case, strict=True) if word != ABSENT]
    batch = {name: word[0] for name, word in there}
    # What takes other batches than of one lane, or no growing past, cannot be driven at all.
    if any(batch[name] not in "na1" for name, _ in there if name not in (TENSORS[LOGITS], TENSORS[PRESENT])):
        return {"refused": "model"}
    if case[PAST][1].isdigit() or case[MASK][1].isdigit():
        return {"refused": "model"}
    lengths = {case[at][1] for at in (IDS, POSITIONS, LOGITS) if case[at] != ABSENT and case[at][1].isdigit()}
    if lengths - {"1"}:
        return {"refused": "model"}
    fixed = [(name, letter) for name, letter in batch.items() if letter.isdigit()]
    if fixed:
        name, size = fixed[0]
        policy = {"batch": "static", "reason": f"the batch dimension of {name} is fixed at {size}"}
    else:
        policy = {
            "batch": "dynamic",
            "reason": f"the batch dimension of all {len(there)} inputs and outputs is symbolic",
        }
    return {"policy": policy, "length": 1 if lengths else None}


def cases() -> list[list[str]]:
    """All combinations of the batch dimensions, all of the sequence dimensions, and a thousand of both."""
    batches = ["n", "a", "1"]
    inputs = [batches, [*batches, "-"], [*batches, "-"], batches, batches, batches]
    every_batch = [[letter + ("-" if letter == "-" else "n") for letter in each] for each in itertools.product(*inputs)]
    lengths = [
        ["n", "a", "1", "4"],
        ["n", "a", "1", "-"],
        ["n", "a", "1", "4", "-"],
        ["n", "a", "8"],
        ["n", "a", "1", "4"],
        ["n", "a", "8"],
    ]
    every_length = [
        [("-" if letter == "-" else "n") + letter for letter in each] for each in itertools.product(*lengths)
    ]
    generator = random.Random(SEED)
    some = []
    for _ in range(1000):
        words = [generator.choice("nnnna12") + generator.choice(letters) for letters in lengths]
        some.append([ABSENT if "-" in word else word for word in words])
    return every_batch + every_length + some


def main() -> None:
    """Write the table beside this script."""
    groups: dict[str, list[str]] = defaultdict(list)
    for case in cases():
        word = " ".join(case)
        group = groups[json.dumps(outcome(case))]
        if word not in group:
            group.append(word)
    rows = ",\n".join(
        f'  {{"expected": {expected}, "cases": {json.dumps(words)}}}' for expected, words in sorted(groups.items())
    )
    text = f'{{"tensors": {json.dumps(TENSORS)}, "groups": [\n{rows}\n]}}\n'
    (Path(__file__).parent / "declarations.json").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
