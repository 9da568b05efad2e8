"""Features as the rows of one matrix: what products take, and what lies in order for Inductor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import SymInt, fx

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.sizes import is_fixed

aten = torch.ops.aten


def insert_rows(before: fx.Node, like: fx.Node, x: fx.Node, width: int) -> fx.Node:
    """``view(clone(x), [−1, width])`` in front of a node, which copies nothing that lies in order already."""
    ordered = insert_call(before, like, aten.clone.default, x, memory_format=torch.contiguous_format)
    return insert_call(before, like, aten.view.default, ordered, [-1, width])


def view_sizes(shape: Sequence[int | SymInt]) -> list[int]:
    """The sizes to view rows as a shape by: one that is dynamic is left to the view to find, which finds one."""
    return [int(size) if is_fixed(size) else -1 for size in shape]
