"""Inputs that a command makes up."""

from __future__ import annotations

from typing import Any

import pytest

from fgcompile.cli.models import noise
from tests.support.tiny_artifacts import tiny_metadata


@pytest.mark.parametrize(
    ("tables", "first", "last"),
    [([20], 0, 19), ([20, 5], 0, 4), ([1], 0, 0), (["length"], 1, 1), ([], 1, 1)],
    ids=["one table", "two tables", "one row", "a size of the input", "no table"],
)
def test_tokens_are_of_the_whole_table(tables: list[int | str], first: int, last: int) -> None:
    spec: dict[str, Any] = {"name": "ids", "dtype": "int64", "shape": ["batch", 500]}
    spec["indexes"] = [{"size": size, "from_end": False} for size in tables]
    (ids,) = noise(tiny_metadata(inputs=[spec, *tiny_metadata()["inputs"][1:]]))
    assert (ids.min(), ids.max()) == (first, last)
    assert (ids[0] != ids[1]).any() == (first < last)
