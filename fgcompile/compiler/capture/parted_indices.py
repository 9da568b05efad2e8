"""Reads at integers of axes that other ones part: what is indexed goes in front, as the result's axes do anyway.

    y[:, i, :, j]  →  y.permute(1, 3, 0, 2)[i, j]

The gradient of axes side by side is a product with one 0/1 matrix.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import insert_call

aten = torch.ops.aten


def join_indexed_axes(node: fx.Node) -> None:
    """Rewrites a call of ``index`` whose axes are parted; any other stays."""
    source: Any = node.args[0]
    indices: Any = node.args[1]
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    present = [indices[axis] for axis in axes]
    parted = axes != list(range(axes[0], axes[-1] + 1))
    if not parted or any(index.meta["val"].dtype == torch.bool for index in present):
        return
    order = [*axes, *(axis for axis in range(source.meta["val"].dim()) if axis not in axes)]
    node.args = (insert_call(node, node, aten.permute.default, source, order), present)
