"""Values added at constant places of a long axis are gathered by the places: a memory that is linear in the two sizes.

    index_add(0, j, v)  →  Σ_t w[·, t] · index_select(v, i[·, t])        i[p, ·]: where j is p

Short axes take a product with a 0/1 matrix, which lowering makes, and so do places that are known only when the graph
runs, at a memory that grows with the product of the sizes. What is added at one place more than ``MOST`` times is added
up in groups before.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import SymInt, Tensor, fx

from fgcompile.compiler.ir.graphs import fake, fake_mode, insert_call
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import hint, is_fixed

aten = torch.ops.aten

MOST = 8
"""Values that are added up at a time: each is a gather of its own."""


@as_pass(requires=("fold_constants",))
def gather_constant_places(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was a sum at places of an axis."""
    changed = False
    for node in graph_module.graph.find_nodes(op="call_function", target=aten.index_add.default):
        zeros, axis, index, values = node.args
        size = node.meta["val"].shape[axis]
        if index.op == "get_attr" and is_fixed(size):
            places = getattr(graph_module, str(index.target))
            for level, (reads, present) in enumerate(_groups(places, hint(size))):
                values = _add_up(node, values, axis, reads, present, f"{node.name}_{level}")
        else:
            values = _multiply(node, values, axis, index, _positions(node, zeros, axis, size))
        node.replace_all_uses_with(values)
        graph_module.graph.erase_node(node)
        changed = True
    return changed


def _groups(places: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Which values are added up, step by step, ``(R, T)``, and which of these there are; the last step's rows are the
    ``size`` places."""
    while True:
        order = places.argsort(stable=True)
        row = torch.arange(size)
        first = torch.searchsorted(places[order], row)
        behind = torch.searchsorted(places[order], row, right=True)
        most = max(int((behind - first).max()), 1)
        if most > MOST:
            # As many rows for a place as it has groups; the rows become the values of the next step.
            rows = (behind - first + MOST - 1) // MOST
            row = torch.repeat_interleave(row, rows)
            within = torch.arange(len(row)) - (rows.cumsum(0) - rows)[row]
            first, behind = first[row] + MOST * within, behind[row]
        taps = first.unsqueeze(1) + torch.arange(min(most, MOST))
        yield order[taps.clamp(max=len(order) - 1)], taps < behind.unsqueeze(1)
        if most <= MOST:
            return
        places = row


def _add_up(node: fx.Node, values: fx.Node, axis: int, reads: Tensor, present: Tensor, name: str) -> fx.Node:
    """``out[r] = Σ_t present[r, t] values[reads[r, t]]``, in front of ``node``."""
    total: fx.Node | None = None
    like = node.meta["val"]
    for tap in range(reads.shape[1]):
        index = _constant(node, f"reads_{name}_{tap}", reads[:, tap].contiguous())
        read = insert_call(node, node, aten.index_select.default, values, axis, index)
        if not present[:, tap].all():
            weights = present[:, tap].to(like.dtype).reshape([-1, *[1] * (like.dim() - 1 - axis)])
            read = insert_call(node, node, aten.mul.Tensor, read, _constant(node, f"present_{name}_{tap}", weights))
        total = read if total is None else insert_call(node, node, aten.add.Tensor, total, read)
    assert total is not None
    return total


def _positions(node: fx.Node, zeros: fx.Node, axis: int, size: int | SymInt) -> fx.Node:
    """The numbers of the places along an axis, which is dynamic or not."""
    if is_fixed(size):
        return _constant(node, f"positions_{node.name}", torch.arange(hint(size)))
    end = insert_call(node, node, aten.sym_size.int, zeros, axis)
    return insert_call(node, node, aten.arange.start_step, 0, end, 1)


def _multiply(node: fx.Node, values: fx.Node, axis: int, index: fx.Node, positions: fx.Node) -> fx.Node:
    """``out[p] = Σ_j [index_j = p] values[j]``, in front of ``node``."""
    column = insert_call(node, node, aten.unsqueeze.default, index, 1)
    equal = insert_call(node, node, aten.eq.Tensor, column, positions)
    matrix = insert_call(node, node, aten._to_copy.default, equal, dtype=node.meta["val"].dtype)
    last = insert_call(node, node, aten.transpose.int, values, axis, -1)
    product = insert_call(node, node, aten.matmul.default, last, matrix)
    return insert_call(node, node, aten.transpose.int, product, axis, -1)


def _constant(before: fx.Node, name: str, value: Tensor) -> fx.Node:
    graph_module = before.graph.owning_module
    assert graph_module is not None
    graph_module.register_buffer(name, value)
    with before.graph.inserting_before(before):
        constant = before.graph.get_attr(name)
    constant.meta["val"] = fake(value, fake_mode(before.graph))
    return constant
