"""Where things are in the repository."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
PY_RUNNER = REPOSITORY / "py-runner"
TINY = REPOSITORY / "models" / "tiny"
GOLDEN = REPOSITORY / "golden"
SCHEMAS = REPOSITORY / "harness" / "schemas" / "protocol.json"
# Not part of a clone.
SMOLLM2 = REPOSITORY.parent / "shared" / "smollm2"
