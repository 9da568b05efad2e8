"""Operators that move elements: applied to the coordinates as they are to the values."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.expose.layouts.call import PositionCall, PositionRule, Shapes, concrete_shape
from fgcompile.compiler.expose.layouts.positions import Positions, varies

aten = torch.ops.aten


def _reshaped(call: PositionCall, shapes: Shapes) -> Positions | None:
    source = call.positions(call.node.args[0])
    return None if source is None else source.moved(shapes[0], lambda c: c.reshape(shapes[0]))


def _moved(call: PositionCall, shapes: Shapes) -> Positions | None:
    """The operator itself, applied to the coordinates."""
    source = call.positions(call.node.args[0])
    if source is None:
        return None
    target: Any = call.node.target
    rest, keywords = call.value(call.node.args[1:]), call.value(call.node.kwargs)
    return source.moved(shapes[0], lambda c: target(c.contiguous(), *rest, **keywords))


def _indexed(call: PositionCall, shapes: Shapes) -> Positions | None:
    """An index of constants moves elements; a table read at an input's integers takes their positions."""
    # An activation that is indexed by constants is moved; by an input's integers, nobody knows where to. A constant
    # table has no positions: its parts lie where the integers do that pick them, whose axes then are side by side.
    table: Any = call.node.args[0]
    nodes = [node for node in call.node.all_input_nodes if node is not table]
    if call.positions(table) is not None:
        return _moved(call, shapes) if all(node in call.constants for node in nodes) else None
    readers = [p for p in (call.positions(node) for node in nodes) if p is not None]
    if not readers or call.node.target is not aten.index.Tensor:
        return None
    axes = [axis for axis, index in enumerate(call.arguments["indices"]) if index is not None]
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    whole = len(readers[0].shape) == len(shapes[0]) - table.meta["val"].ndim + len(axes)
    return _looked_up(readers[0], shapes[0], axes[0]) if together and whole else None


def _embedded(call: PositionCall, shapes: Shapes) -> Positions | None:
    source = call.positions(call.arguments["indices"])
    return None if source is None else _looked_up(source, shapes[0])


def _looked_up(source: Positions, shape: tuple[int, ...], axis: int = 0) -> Positions:
    added = len(shape) - len(source.shape) - axis
    return source.mapped(shape, lambda c: c.reshape([*[1] * axis, *c.shape, *[1] * added]))


def _concatenated(call: PositionCall, shapes: Shapes) -> Positions | None:
    # A part without positions (class tokens) is all NaN, and so stays outside of the grid; its samples are filled in
    # from its neighbours by ``moved_with_gaps``, since a class token too belongs to one sample.
    parts = call.arguments["tensors"]
    known = [(part, call.positions(part)) for part in parts]
    count = next(len(p.coordinates) for _, p in known if p is not None)
    coordinates = []
    for index in range(count):
        pieces = [_expanded(part, positions, index) for part, positions in known]
        coordinates.append(_as_channels(torch.cat(pieces, call.arguments["dim"]), call.arguments["dim"]))
    return Positions(shapes[0], tuple(coordinates)).moved_with_gaps(shapes[0], lambda c: c, [call.arguments["dim"]])


def _as_channels(coordinate: Tensor, dim: int) -> Tensor:
    """Further channels lie where the known ones do, if those are channels: all in one place along the axis."""
    place = coordinate.nan_to_num(-torch.inf).amax(dim, keepdim=True)
    same = coordinate.isnan() | (coordinate == place)
    return place.expand_as(coordinate) if same.all() and place.isfinite().all() else coordinate


def _expanded(part: fx.Node, positions: Positions | None, index: int) -> Tensor:
    shape = concrete_shape(part.meta["val"])
    coordinate = None if positions is None else positions.coordinates[index]
    return torch.full(shape, torch.nan) if coordinate is None else coordinate.expand(shape)


def _split(call: PositionCall, shapes: Shapes) -> list[Positions] | None:
    source = call.positions(call.node.args[0])
    if source is None:
        return None
    dim, start, parts = call.arguments["dim"], 0, []
    for shape in shapes:
        parts.append(source.moved(shape, lambda c, s=start, n=shape[dim]: c.narrow(dim, s, n)))  # type: ignore[misc]
        start += shape[dim]
    return parts


def _padded(call: PositionCall, shapes: Shapes) -> Positions | None:
    """What is added at the borders has no position."""
    source = call.positions(call.node.args[0])
    pad = call.value(call.arguments["pad" if "pad" in call.arguments else "padding"])
    if source is None:
        return None
    # Pairs from the last axis on; among those that nothing is added to may be the batch, whose samples have no mean.
    axes = [len(shapes[0]) - 1 - index for index in range(len(pad) // 2) if pad[2 * index] or pad[2 * index + 1]]
    return source.moved_with_gaps(shapes[0], lambda c: torch.nn.functional.pad(c, list(pad), value=torch.nan), axes)


def _chosen(call: PositionCall, shapes: Shapes) -> list[Positions] | None:
    """Elements change places along one axis, by their values: what runs along it is lost, everything else stays.

    So it is of their indices, at which a table may be read.
    """
    source = call.positions(call.node.args[0])
    if source is None:
        return None
    axis = call.arguments["dim"] % len(source.shape)
    kept = [None if varies(coordinate, axis) else coordinate for coordinate in source.coordinates]
    gone = len(shapes[0]) < len(source.shape)
    found = Positions(shapes[0], tuple(c if c is None or not gone else c.squeeze(axis) for c in kept))
    return [found] * len(shapes)


def _unknown(call: PositionCall, shapes: Shapes) -> None:
    """Elements change places in a way that depends on values."""


MOVEMENT: dict[Any, PositionRule] = {
    aten.reshape.default: _reshaped,
    aten.squeeze.dims: _reshaped,
    aten.unsqueeze.default: _reshaped,
    aten.permute.default: _moved,
    aten.slice.Tensor: _moved,
    aten.select.int: _moved,
    aten.flip.default: _moved,
    aten.repeat.default: _moved,
    aten.unfold.default: _moved,
    aten.diagonal.default: _moved,
    aten.as_strided.default: _moved,
    aten.index.Tensor: _indexed,
    aten.index_select.default: _indexed,
    aten.gather.default: _indexed,
    aten.embedding.default: _embedded,
    aten.cat.default: _concatenated,
    aten.split_with_sizes.default: _split,
    aten.constant_pad_nd.default: _padded,
    **{
        getattr(aten, f"{kind}_pad{rank}d").default: _padded
        for kind in ("reflection", "replication")
        for rank in (1, 2, 3)
    },
    aten.sort.default: _chosen,
    aten.topk.default: _chosen,
    aten.kthvalue.default: _chosen,
    aten.grid_sampler_2d.default: _unknown,
}
