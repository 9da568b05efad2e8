"""What several tests of lowerings need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fgcompile.compiler.ir import gathering
from tests.compiler.lowering.tracing import trace_backward


@pytest.fixture
def everything_is_long(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small sizes count as long; what was traced meanwhile is no other test's."""
    trace_backward.cache_clear()
    monkeypatch.setattr(gathering, "LARGEST_MATRIX", 0)
    yield
    trace_backward.cache_clear()
