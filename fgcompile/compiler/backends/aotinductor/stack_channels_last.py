"""What is interleaved into an axis of a picture is so with its channels last, as oneDNN's convolutions leave it.

    view(stack([a, b], axis + 1))  →  permute(view(stack([permute(a), permute(b)], axis)))

Inductor lays a stack of what no convolution made, as in the gradient of max pooling, out with its channels first. The
kernel that makes it reads channels last, and so wrote each number by itself; now it writes rows of them
(``docs/decisions/residues.md``).
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import RESHAPES, insert_call
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import is_fixed, same_size

aten = torch.ops.aten

FEWEST = 16
"""Channels below which a row of them fills no vector."""

CHANNELS_LAST, CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
"""The orders of axes that bring a picture's channels to the end, and back."""


@as_pass()
def stack_channels_last(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether features were interleaved. Every node's ``meta["val"]`` is kept up."""
    changed = False
    for stack in graph_module.graph.find_nodes(op="call_function", target=aten.stack.default):
        parts, *dim = stack.args
        axis = (dim[0] if dim else 0) - 1
        readers = list(stack.users)
        if axis not in (2, 3) or len(readers) != 1 or not _merges(stack, axis, readers[0]):
            continue
        view = readers[0]
        turned = [insert_call(view, part, aten.permute.default, part, CHANNELS_LAST) for part in parts]
        stacked = insert_call(view, stack, aten.stack.default, turned, axis)
        sizes = [view.args[1][position] for position in CHANNELS_LAST]
        merged = insert_call(view, view, aten.view.default, stacked, sizes)
        view.target, view.args = aten.permute.default, (merged, CHANNELS_FIRST)
        changed = True
    return changed


def _merges(stack: fx.Node, axis: int, view: fx.Node) -> bool:
    """Whether the reader joins the stacked axis with the one before it, so that four are left."""
    if view.target not in RESHAPES:
        return False
    shape, joined = stack.meta["val"].shape, view.meta["val"].shape
    if len(shape) != 5 or len(joined) != 4 or not is_fixed(shape[1]) or shape[1] < FEWEST:
        return False
    wanted = [*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]]
    return all(same_size(size, other) for size, other in zip(wanted, joined, strict=True))
