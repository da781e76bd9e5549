"""Where things lie. Owns paths only."""

from pathlib import Path

MAKE = Path(__file__).resolve().parent.parent
MODELS = MAKE.parent
REPOSITORY = MODELS.parent
TINY = MODELS / "tiny"
MANIFEST = MODELS / "manifest.toml"
QUANTIZE_SOURCE = REPOSITORY / "py-runner" / "src"
