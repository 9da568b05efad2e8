"""While one thread compiles: no full collection of garbage begins, and the caller's collector is as before after it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from fgcompile.compiler.ir.turns import one_at_a_time


@pytest.fixture
def often() -> Iterator[None]:
    """A collector that would go through everything every few objects."""
    before = gc.get_threshold()
    gc.freeze()  # what other tests have made is gone through by none of the collections
    gc.collect()
    gc.set_threshold(10, 1, 1)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def collections() -> list[int]:
    """The generations that are collected while many objects come to be."""
    found: list[int] = []

    def begun(phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            found.append(info["generation"])

    gc.callbacks.append(begun)
    try:
        heap: list[list[int]] = []
        # Python puts a full collection off until a quarter of what is old is new.
        for _ in range(1000 + len(gc.get_objects())):
            heap.append([])
    finally:
        gc.callbacks.remove(begun)
    return found


@pytest.mark.usefixtures("often")
def test_a_growing_heap_is_not_gone_through_again_and_again() -> None:
    with one_at_a_time(), one_at_a_time():
        found = collections()
    assert 2 not in found
    assert {0, 1} <= set(found)


@pytest.mark.usefixtures("often")
def test_the_collector_is_put_back() -> None:
    assert 2 in collections()
    with pytest.raises(RuntimeError), one_at_a_time():
        raise RuntimeError
    assert gc.get_threshold() == (10, 1, 1)
    with one_at_a_time():
        assert gc.get_threshold()[:2] == (10, 1)


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with one_at_a_time():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
