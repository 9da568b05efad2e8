"""Lowering: backward operators as portable forward ones, by operator decomposition (``make_fx``'s sense).

One file a family, each with one table ``DECOMPOSITIONS``. What the lowered graph keeps out, since some runtime lacks it
or is slow at it: scatter and ``index_put``, pooling indices, Sign, OneHot, ConstantOfShape of a dynamic shape, TopK.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from fgcompile.lowering import (
    activation,
    convolution,
    creation,
    forward,
    indexing,
    interpolation,
    pooling,
    sampling,
    selection,
)
from fgcompile.lowering.preservation import LINEAR, preserve_interpolation

__all__ = ["FAMILIES", "LINEAR", "decomposition_table", "preserve_interpolation"]

FAMILIES = (activation, convolution, creation, forward, indexing, interpolation, pooling, sampling, selection)


def decomposition_table() -> dict[torch._ops.OpOverload, Callable[..., Any]]:
    """Joins the families' tables into the one that ``make_fx`` takes.

    Raises:
        ValueError: Two families lower the same operator.
    """
    table: dict[torch._ops.OpOverload, Callable[..., Any]] = {}
    for family in FAMILIES:
        for operator, lowering in family.DECOMPOSITIONS.items():
            if operator in table:
                raise ValueError(f"{operator} is lowered twice, the second time in {family.__name__}: keep one")
            table[operator] = lowering
    return table
