"""No table of the compiler names an operator that capture takes apart: such a row could never be reached.

That each row of the bias table, of the rewrites and of the lowerings is reached by a case is tested beside them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
import torch

from fgcompile.compiler.biases import bias_table
from fgcompile.compiler.capture.decompositions import decompositions
from fgcompile.compiler.expose.layouts.propagation import POSITION_RULES
from fgcompile.compiler.ir import activity
from fgcompile.compiler.rules import absorption, attnlrp, libragrad, weights
from tests.support.sweeps import few

aten = torch.ops.aten

MAY_STAY = {
    aten.as_strided.default,
    aten.prod.dim_int,
    aten._native_batch_norm_legit_no_training.default,
    *(aten.convolution.default, aten.slice.Tensor, aten.select.int),
}
"""Operators that our own decompositions leave as they are in some calls: other strides, sizes, statistics, groups."""

TABLES: dict[str, Collection[Any]] = {
    "biases": bias_table(),
    "rewrites": {*libragrad.rewrite_table(), *attnlrp.rewrite_table()},
    "positions": POSITION_RULES,
    "weights": {
        *weights.GATES_AND_SCALES.sources,
        *weights.TRANSPARENT,
        *weights.SIGMOIDAL,
        *weights.CLAMPED,
        *weights.SUMS,
        *weights.SCALED,
    },
    "statistics": {*absorption.STATISTICS, *absorption.SCALED},
    "stops": activity.STOPS,
    "lookups": activity.TABLES,
}


@pytest.mark.parametrize("name", few(TABLES, 4))
def test_rows_survive_capture(name: str) -> None:
    dead = sorted(str(row) for row in TABLES[name] if row in decompositions() and row not in MAY_STAY)
    assert not dead, f"capture takes apart {', '.join(dead)}"
