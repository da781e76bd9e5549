import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def same_signals() -> Iterator[None]:
    """The command line takes signals for itself; the tests' process wants them back."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.getsignal(getattr(signal, name)) for name in names]
    yield
    for name, handler in zip(names, before, strict=True):
        signal.signal(getattr(signal, name), handler)
