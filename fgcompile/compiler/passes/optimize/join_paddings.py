"""A sum of parts that are padded with zeros to lie side by side is their concatenation.

    pad(a, [0, 2]) + pad(b, [1, 1]) + pad(c, [2, 0])  →  cat([a, b, c])

It is what differentiating selections leaves, as ``torch.nn.MultiheadAttention``'s of queries, keys and values.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import fx

from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


class _Part(NamedTuple):
    """What is padded, along which axis, and from where to where it lies there, of how much."""

    axis: int
    start: int
    stop: int
    size: int
    value: fx.Node


@as_pass(requires=("share_subexpressions",))
def join_paddings(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was such a sum. Parts that leave gaps, or meet, stay."""
    changed = False
    inside: set[fx.Node] = set()
    # From the end, so that a whole sum is seen before the sums that are its terms.
    for node in reversed(graph_module.graph.find_nodes(op="call_function", target=aten.add.Tensor)):
        if node in inside:
            continue
        parts = [_part(term) for term in _terms(node, inside)]
        known = sorted((part for part in parts if part is not None), key=lambda part: part[:4])
        if len(known) == len(parts) and _lie_side_by_side(known):
            node.target, node.args = aten.cat.default, ([part.value for part in known], known[0].axis)
            changed = True
    return changed


def _terms(node: fx.Node, inside: set[fx.Node]) -> list[fx.node.Argument]:
    """What a sum adds up, the terms of those sums that nothing else reads; these are noted."""
    terms: list[fx.node.Argument] = []
    for term in node.args[:2]:
        is_sum = isinstance(term, fx.Node) and term.target is aten.add.Tensor and len(term.users) == 1
        if isinstance(term, fx.Node) and is_sum and not term.kwargs:
            inside.add(term)
            terms += _terms(term, inside)
        else:
            terms.append(term)
    return terms if not node.kwargs else [None]


def _part(term: fx.node.Argument) -> _Part | None:
    """A padding with zeros of a size that is a number, along one axis, without a crop."""
    if not isinstance(term, fx.Node) or term.target is not aten.constant_pad_nd.default or any(term.args[2:]):
        return None
    value, amounts = term.args[:2]
    assert isinstance(value, fx.Node)
    assert isinstance(amounts, list | tuple)
    places = [place for place, amount in enumerate(amounts) if not isinstance(amount, int) or amount != 0]
    if not places or places[0] // 2 != places[-1] // 2 or not all(isinstance(a, int) and a >= 0 for a in amounts):
        return None
    pair = places[0] // 2
    axis = value.meta["val"].ndim - 1 - pair
    length, size = value.meta["val"].shape[axis], term.meta["val"].shape[axis]
    if not isinstance(length, int) or not isinstance(size, int):
        return None
    start = amounts[2 * pair]
    assert isinstance(start, int)
    return _Part(axis, start, start + length, size, value)


def _lie_side_by_side(parts: list[_Part]) -> bool:
    """Whether the parts, in order, fill one axis; one of another shape would be repeated along the others."""
    first, last = parts[0], parts[-1]
    if len({(part.axis, part.size, part.value.meta["val"].dtype) for part in parts}) > 1:
        return False
    ranks = {part.value.meta["val"].ndim for part in parts}
    others = {str([s for a, s in enumerate(part.value.meta["val"].shape) if a != part.axis]) for part in parts}
    filled = all(before.stop == after.start for before, after in pairwise(parts))
    return len(ranks) == len(others) == 1 and first.start == 0 and last.stop == last.size and filled and len(parts) > 1
