"""The graph that the tests of this folder start from."""

from __future__ import annotations

import pytest

from . import graphs


@pytest.fixture(scope="session")
def exact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The exact graph of a random checkpoint."""
    return graphs.build(tmp_path_factory.mktemp("exact"))
