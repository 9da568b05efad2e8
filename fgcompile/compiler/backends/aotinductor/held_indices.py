"""Indices that a model computes are held to their tables by a call that raises, where kernels would end the process.

    p[i]  →  assert(all(0 ≤ j < n)),  p[clamp(j, 0, n − 1)],  j = i < 0 ? i + n : i

``p`` is a table of places (``capture.index_guards``). Inductor checks an index inside a loop of several threads, where
what is thrown reaches nobody.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import is_fixed

aten = torch.ops.aten

MESSAGE = "index out of range"
"""What the call raises."""


@as_pass()
def held_indices(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was such a table. Every node's ``meta["val"]`` is kept up."""
    reads = [
        node
        for node in graph_module.graph.find_nodes(op="call_function", target=aten.index.Tensor)
        if _is_of_places(node) and not _is_held(node)
    ]
    for node in reads:
        _hold(node)
    return bool(reads)


def _is_of_places(node: fx.Node) -> bool:
    table: Any = node.args[0]
    value = table.meta["val"]
    return value.ndim == 1 and value.dtype == torch.int64 and len(node.args[1]) == 1  # type: ignore[arg-type]


def _is_held(node: fx.Node) -> bool:
    indices: Any = node.args[1]
    return indices[0].target is aten.clamp.default


def _hold(node: fx.Node) -> None:
    table: Any = node.args[0]
    indices: Any = node.args[1]
    index = indices[0]

    def call(operator: Any, *args: Any) -> fx.Node:
        return insert_call(node, node, operator, *args)

    fixed = is_fixed(table.meta["val"].shape[0])
    size: Any = int(table.meta["val"].shape[0]) if fixed else call(aten.sym_size.int, table, 0)
    last = size - 1 if fixed else call(aten.sub.Tensor, call(aten.scalar_tensor.default, size), 1)
    place = call(aten.where.self, call(aten.lt.Scalar, index, 0), call(aten.add.Tensor, index, size), index)
    inside = call(aten.logical_and.default, call(aten.ge.Scalar, place, 0), call(aten.lt.Scalar, place, size))
    call(aten._assert_async.msg, call(aten.all.default, inside), MESSAGE)
    if fixed:
        clamped = call(aten.clamp.default, place, 0, last)
    else:
        clamped = call(aten.clamp.default, call(aten.minimum.default, place, call(aten.to.dtype, last, torch.int64)), 0)
    node.args = (table, [clamped])
