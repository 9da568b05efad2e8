"""Places by what reads a value, where those that it was computed from are lost.

A product along the axis of tokens mixes their places, so that its result has none of them. It has places all the same
where it is turned back and added to what has: of ``x + permute(W permute(x))`` the product lies where ``x`` does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.expose.layouts.call import concrete_shape
from fgcompile.compiler.expose.layouts.positions import Coordinate, Positions, compressed
from fgcompile.compiler.expose.layouts.propagation import POSITION_RULES, Propagation
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten

_RESHAPING = (aten.reshape.default, aten.squeeze.dims, aten.unsqueeze.default)


def places_behind(node: fx.Node, propagation: Propagation) -> Positions | None:
    """The positions of a value by those of the first reader that has any, elements followed one by one.

    Readers are followed as long as each keeps every element, once: what reshapes, permutes, or acts on each element
    beside others.
    """
    shape = concrete_shape(node.meta["val"])
    pending = [(node, torch.arange(math.prod(shape)).reshape(shape))]
    while pending:
        for reader, moved in _readers(*pending.pop(0)):
            found = propagation.positions.get(reader)
            if isinstance(found, Positions) and any(c is not None for c in found.coordinates[1:]):
                return Positions(shape, tuple(_taken_back(c, moved, shape) for c in found.coordinates))
            pending.append((reader, moved))
    return None


def _readers(node: fx.Node, elements: Tensor) -> Iterator[tuple[fx.Node, Tensor]]:
    """What reads a value and keeps its elements, with the number of each element in it."""
    for reader in node.users:
        value = reader.meta.get("val")
        if not isinstance(value, Tensor):
            continue
        shape = concrete_shape(value)
        if reader.target in _RESHAPING:
            yield reader, elements.reshape(shape)
        elif reader.target is aten.permute.default:
            order: Any = reader.args[1]
            yield reader, elements.permute(order)
        elif _is_elementwise(reader) and shape == tuple(elements.shape):
            yield reader, elements


def _is_elementwise(reader: fx.Node) -> bool:
    return isinstance(reader.target, OpOverload) and reader.target not in POSITION_RULES


def _taken_back(coordinate: Coordinate, moved: Tensor, shape: tuple[int, ...]) -> Coordinate:
    if coordinate is None:
        return None
    result = torch.empty(math.prod(shape), dtype=coordinate.dtype)
    result[moved.reshape(-1)] = coordinate.expand(moved.shape).reshape(-1)
    return compressed(result.reshape(shape))
