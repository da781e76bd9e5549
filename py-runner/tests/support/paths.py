"""Where things are in the repository."""

from pathlib import Path

from llmzip.model.loader import record_of

REPOSITORY = Path(__file__).parents[3]
PY_RUNNER = REPOSITORY / "py-runner"
TINY = REPOSITORY / "models" / "tiny"
TINY_VARIANTS = [variant.dtype for variant in record_of(TINY).variants]
GOLDEN = REPOSITORY / "golden"
SCHEMAS = REPOSITORY / "harness" / "schemas" / "protocol.json"
# Tables that the tests of all three languages read.
CASES = REPOSITORY / "harness" / "tests" / "cases"
# Not part of a clone.
SMOLLM2 = REPOSITORY.parent / "shared" / "smollm2"
