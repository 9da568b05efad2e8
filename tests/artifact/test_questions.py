"""Targets of any kind are taken or refused in a line, of outputs of one axis and of several."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any, cast

import numpy as np
import pytest

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.questions import check_target
from fgcompile.artifact.wishes import numbered, read_element, read_elements
from fgcompile.errors import InputError
from tests.support.tiny_artifacts import tiny_metadata

CLASS = [{"name": "class", "size": 3}]
MAP = [*CLASS, {"name": "row", "size": 4}, {"name": "column", "size": "width"}]
SIZES = {"batch": 2, "width": 4}

ODD: list[Any] = [2**63, -(2**70), True, [True], 1.0, "", "-1", "cat,1,2", b"cat", [None], [], [[], []], {}, {1}]
ODD += [object(), [[1, 2], [3]], [1, [2]], ("cat", 1), ("cat", None, 1), ("cat", (1,), 2), [("cat", 1, 2), 5], 1j]
ODD += [[2**70], (2**70, 0, 0), [[[[1]]]], range(0), slice(1), float("nan"), int, iter([1]), bytearray(b"a"), "\ud800"]
ODD += [np.array(-1), np.array([2**64 - 1], np.uint64), np.array("cat"), np.array(None), np.array(["cat", 1], object)]
ODD += [np.zeros((0, 3), int), np.zeros((2, 0), int), np.zeros(2, "datetime64[s]"), np.zeros(2, [("a", int)])]


def metadata_of(axes: list[dict[str, Any]], targets: int | str | None = None) -> Metadata:
    form = ([] if targets is None else [targets]) + ([len(axes)] if len(axes) > 1 else [])
    metadata = tiny_metadata(
        labels=["cat", "dog", "car"],
        target_axes=axes,
        inputs=[
            {"name": "x", "dtype": "float32", "shape": ["batch", 3, 4, "width"]},
            {"name": "target", "dtype": "int64", "shape": ["batch", *form]},
        ],
        outputs=[{"name": "logits", "dtype": "float32", "shape": ["batch", *(axis["size"] for axis in axes)]}],
    )
    return cast(Metadata, metadata | ({} if targets is None else {"targets": targets}))


@pytest.mark.parametrize("axes", [CLASS, MAP], ids=["of one axis", "of several"])
def test_a_target_of_any_kind_is_taken_or_refused(axes: list[dict[str, Any]]) -> None:
    for targets, odd in itertools.product((None, 2, "targets"), ODD):
        metadata = metadata_of(axes, targets)
        for ask in (
            lambda wish, own: check_target(numbered(wish, own), SIZES, own),
            read_element,
            read_elements,
        ):
            with contextlib.suppress(InputError):
                ask(odd, metadata)


def test_minus_one_is_the_largest_of_all_whatever_axes_the_output_has() -> None:
    for number in (-1, np.int64(-1), np.array(-1)):
        np.testing.assert_array_equal(check_target(number, SIZES, metadata_of(MAP)), np.full((2, 3), -1))
    with pytest.raises(InputError, match="give the indices"):
        check_target(1, SIZES, metadata_of(MAP))
