"""Whether a graph may tell one of many samples apart, so that a check of few samples would not find that it does.

A mean over the batch shows in two samples. What counts them shows where its count is reached: in the sixth, say, or in
groups of thirty-two, or in a batch of nine. Then a check has many, and more than what the graph counts to.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.checking.inputs import CHECK_SEED, MANY
from fgcompile.compiler.checking.numbered import LARGEST, told_apart_at
from fgcompile.compiler.ir.graphs import RESHAPES, tensors_given
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.sizes import hint, is_fixed
from fgcompile.compiler.ir.torch_internals import OpOverload, expression, pytree, symbols_in

aten = torch.ops.aten

_NUMBERS = {aten.arange.start_step, aten.linspace.default}
_VALUES = {aten.full.default, aten.scalar_tensor.default}
_KEPT = {*RESHAPES, aten.unsqueeze.default, aten.expand.default, aten.clone.default, aten._to_copy.default}
_INDEXED = {aten.index.Tensor, aten.index_put.default}
_ACROSS = {
    *("all", "amax", "amin", "any", "argmax", "argmin", "argsort", "count_nonzero", "cummax", "cummin", "cumprod"),
    *("cumsum", "histc", "kthvalue", "logcumsumexp", "logsumexp", "max", "mean", "median", "min", "prod", "sort"),
    *("std", "sum", "topk", "unique_consecutive", "_unique2", "var"),
}
"""Operators along an axis, or all of them, by which one entry learns of the others."""


_COUNTED_TO = {
    *("bitwise_and", "clamp", "clamp_max", "clamp_min", "div", "eq", "floor_divide", "fmod", "ge", "gt", "le", "lt"),
    *("maximum", "minimum", "ne", "remainder", "sub", "add", "__rshift__"),
}
"""Operators whose other operand says to what is counted."""

LEAST = 16
"""To how many a check counts at least."""

_NUMBERS_OF_A_BATCH = 2**23
"""How many the inputs of a batch hold at most, where that is more than the least."""


def others_of(graph: fx.Graph) -> Sequence[int]:
    """The samples of a batch, by their number, in which those of a check have other neighbours and other places.

    They are many, at least ``LEAST`` + 2, where the graph reduces, scans or sorts along the batch, compares each sample
    with each, computes with the batch's size beyond multiples of it, or numbers its samples for more than to index
    what they have.
    """
    batch = next(iter(graph.find_nodes(op="placeholder"))).meta["val"].shape[0]
    if is_fixed(batch):
        return MANY
    symbols, counted = symbols_in(batch), dict[fx.Node, None]()
    for node in graph.nodes:
        if node.op == "call_function" and (counted.keys() & {*node.all_input_nodes} or _counts(node, symbols)):
            counted[node] = None
    if not counted:
        return MANY
    (symbol,) = symbols
    numbers = [number for node in counted for number in _counted_to(node)]
    numbers += told_apart_at(graph, symbol, counted)
    most = max(LEAST, min(LARGEST, _NUMBERS_OF_A_BATCH // _numbers_of_a_sample(graph)))
    # What is beyond the number is told from what is at it in two samples more; by no turn do they come to be the same.
    order = random.Random(CHECK_SEED)
    count = max((number for number in numbers if LEAST < number <= most), default=LEAST)
    return [1, 0, *(order.randrange(2) for _ in range(count))]


def _numbers_of_a_sample(graph: fx.Graph) -> int:
    """How many all inputs of one sample hold, at the example's sizes."""
    return sum(math.prod(map(hint, value.shape[1:])) for value in tensors_given(graph) if value.ndim)


def _counted_to(node: fx.Node) -> Iterator[int]:
    """The numbers to which a node may count samples: what they are compared with or divided by, or a size has in it."""
    value = node.meta.get("val")
    if isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool):
        yield from (int(atom) for atom in expression(value).atoms() if atom.is_Integer)
    if isinstance(node.target, OpOverload) and _name_of(node) in _COUNTED_TO:
        for operand in (*node.args, *node.kwargs.values()):
            if isinstance(operand, fx.Node) and operand.op == "get_attr":
                tensor = getattr(node.graph.owning_module, str(operand.target))
                operand = tensor.item() if tensor.numel() == 1 else None
            if isinstance(operand, int | float) and math.isfinite(operand):
                yield math.ceil(operand)


def _name_of(node: fx.Node) -> str:
    return str(node.target.overloadpacket).rpartition(".")[2]  # type: ignore[union-attr]


def _counts(node: fx.Node, symbols: set[Any]) -> bool:
    value = node.meta.get("val")
    if isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool):
        return not _is_multiple(value, symbols)
    if any(sum(bool(symbols_in(size) & symbols) for size in leaf.shape) > 1 for leaf in _tensors(node)):
        return True
    if not isinstance(node.target, OpOverload):
        return False
    if node.target in _VALUES:
        return any(symbols_in(operand.meta["val"]) & symbols for operand in _given(bind(node), "fill_value", "s"))
    if node.target in _NUMBERS and _batched(node, symbols):
        return not all(_only_indexes(user, node, symbols) for user in node.users)
    return _name_of(node) in _ACROSS and _along(node, symbols)


def _along(node: fx.Node, symbols: set[Any]) -> bool:
    """Whether an operator goes along an axis of samples."""
    of, *_ = node.all_input_nodes
    (shape,) = (leaf.shape for leaf in _tensors(of))
    dims = bind(node).get("dim")
    dims = list(range(len(shape))) if dims is None or dims == [] else dims if isinstance(dims, list | tuple) else [dims]
    return any(symbols_in(shape[dim]) & symbols for dim in dims) if shape else False


def _only_indexes(user: fx.Node, numbers: fx.Node, symbols: set[Any]) -> bool:
    """Whether numbers of samples serve to read or write what these have, as ``y[arange(N), i]``, and nothing else."""
    if user.target in _KEPT:
        return all(_only_indexes(other, user, symbols) for other in user.users)
    return user.target in _INDEXED and user.args[0] is not numbers and _batched(user.args[0], symbols)


def _batched(node: Any, symbols: set[Any]) -> bool:
    return any(symbols_in(size) & symbols for leaf in _tensors(node) for size in leaf.shape)


def _tensors(node: fx.Node) -> Iterator[Tensor]:
    return (leaf for leaf in pytree.tree_leaves(node.meta.get("val")) if isinstance(leaf, Tensor))


def _given(bound: dict[str, Any], *names: str) -> list[fx.Node]:
    return [bound[name] for name in names if isinstance(bound.get(name), fx.Node)]


def _is_multiple(size: Any, symbols: set[Any]) -> bool:
    """Whether a size has no batch in it, or is a number or another size times the batch."""
    if not symbols_in(size) & symbols:
        return True
    (symbol,) = symbols
    return not isinstance(size, torch.SymBool) and symbol not in (expression(size) / symbol).free_symbols
