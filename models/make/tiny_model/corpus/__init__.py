"""The generated corpus: every kind by name, and endless seeded documents for training.

Owns which kinds there are and how often each is trained on. A text is a function of a seed string
alone; splits never share one, since the split's name is part of it.
"""

from .documents import SPLITS, document, documents
from .kinds import KINDS, Kind, generate

__all__ = ["KINDS", "SPLITS", "Kind", "document", "documents", "generate"]
