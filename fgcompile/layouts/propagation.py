"""Follows the input's axes through a graph: the positions of every value, by what each operator does with axes.

Operators that move elements are applied to the coordinates themselves, sliding windows read them at their centres,
products and reductions average them along the axes that they sum over, and everything else acts on each element alone.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.biases import bind
from fgcompile.layouts.positions import Positions, joined, resampled, varies

aten = torch.ops.aten

CHANNEL, SPATIAL = "channel", "spatial"


class Propagation:
    """The positions of a graph's values, and what the operators say about the roles of the input's axes.

    Attributes:
        positions: For each node, those of its output, or of each of its outputs.
        roles: For each coordinate that an operator tells something about, ``"channel"`` or ``"spatial"``.
    """

    def __init__(self, constants: Mapping[fx.Node, Tensor], owners: Sequence[int]) -> None:
        self.positions: dict[fx.Node, Any] = {}
        self.roles: dict[int, str] = {}
        self.constants = constants
        self._owners = owners

    def run(self, graph: fx.Graph, starts: Mapping[fx.Node, Positions]) -> None:
        """Propagates from the inputs' own positions through the graph."""
        self.positions |= starts
        for node in graph.nodes:
            if node.op == "call_function" and any(source in self.positions for source in node.all_input_nodes):
                result = self._propagate(node)
                if result is not None:
                    self.positions[node] = result

    def _propagate(self, node: fx.Node) -> Any:
        if node.target is operator.getitem:
            source, index = node.args
            several = self.positions.get(source)  # type: ignore[arg-type]  # a node
            return several[index] if isinstance(several, list) and isinstance(index, int) else None
        shapes = _shapes(node.meta.get("val"))
        if not shapes:
            return None
        rule = RULES.get(node.target, _elementwise)
        call = _Call(node, bind(node), self)
        result = rule(call, shapes)
        if isinstance(node.meta["val"], tuple | list) and not isinstance(result, list):
            return [result, *[None] * (len(shapes) - 1)]
        return result

    def mark(self, coordinate: int, role: str) -> None:
        """The first operator that tells a role decides; an input has one axis of channels."""
        owner = self._owners[coordinate]
        taken = role == CHANNEL and any(
            known == CHANNEL and self._owners[other] == owner for other, known in self.roles.items()
        )
        if coordinate and not taken:
            self.roles.setdefault(coordinate, role)


class _Call:
    """One operator's call, with its arguments by name."""

    def __init__(self, node: fx.Node, arguments: Mapping[str, Any], propagation: Propagation) -> None:
        self.node = node
        self.arguments = arguments
        self.propagation = propagation

    def positions(self, value: Any) -> Positions | None:
        found = self.propagation.positions.get(value) if isinstance(value, fx.Node) else None
        return found if isinstance(found, Positions) else None

    def value(self, argument: Any) -> Any:
        """An argument with concrete numbers and constants in place of nodes."""
        return fx.node.map_arg(argument, self._concrete)

    def _concrete(self, node: fx.Node) -> Any:
        if node in self.propagation.constants:
            return self.propagation.constants[node]
        value = node.meta.get("val")
        return value if isinstance(value, Tensor) else _size(value)


Rule = Callable[[_Call, list[tuple[int, ...]]], Any]
Shapes = list[tuple[int, ...]]


def _size(value: Any) -> int:
    """A size at the example's batch."""
    return value if isinstance(value, int) else int(value.node.hint)


def _shapes(value: Any) -> Shapes:
    values = value if isinstance(value, tuple | list) else [value]
    return [concrete_shape(item) for item in values if isinstance(item, Tensor)]


def concrete_shape(value: Tensor) -> tuple[int, ...]:
    """A fake tensor's shape at the example's batch size."""
    return tuple(_size(size) for size in value.shape)


def _elementwise(call: _Call, shapes: Shapes) -> Positions | None:
    """Whatever takes operands that broadcast to its output."""
    operands = [p for p in (call.positions(node) for node in call.node.all_input_nodes) if p is not None]
    fitting = [p for p in operands if _broadcasts(p.shape, shapes[0])]
    return joined(fitting, shapes[0]) if fitting else None


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    trailing = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(size in (1, full) for size, full in zip(shape, trailing, strict=True))


def _unknown(call: _Call, shapes: Shapes) -> None:
    """Elements change places in a way that depends on values."""


def _reshaped(call: _Call, shapes: Shapes) -> Positions | None:
    source = call.positions(call.node.args[0])
    return None if source is None else source.moved(shapes[0], lambda c: c.reshape(shapes[0]))


def _moved(call: _Call, shapes: Shapes) -> Positions | None:
    """The operator itself, applied to the coordinates."""
    source = call.positions(call.node.args[0])
    if source is None:
        return None
    target: Any = call.node.target
    rest, keywords = call.value(call.node.args[1:]), call.value(call.node.kwargs)
    return source.moved(shapes[0], lambda c: target(c.contiguous(), *rest, **keywords))


def _indexed(call: _Call, shapes: Shapes) -> Positions | None:
    """An index of constants moves elements; a table read at an input's integers takes their positions."""
    table, indices = call.node.args[0], call.node.args[1:]
    nodes = [node for node in call.node.all_input_nodes if node is not table]
    if call.positions(table) is not None:
        return _moved(call, shapes) if all(node in call.propagation.constants for node in nodes) else None
    readers = [p for p in (call.positions(node) for node in nodes) if p is not None]
    if not readers or call.node.target is not aten.index.Tensor or len(indices) != 1:
        return None
    return _looked_up(readers[0], shapes[0])


def _embedded(call: _Call, shapes: Shapes) -> Positions | None:
    source = call.positions(call.arguments["indices"])
    return None if source is None else _looked_up(source, shapes[0])


def _looked_up(source: Positions, shape: tuple[int, ...]) -> Positions:
    added = len(shape) - len(source.shape)
    return source.mapped(shape, lambda c: c.reshape([*c.shape, *[1] * added]))


def _concatenated(call: _Call, shapes: Shapes) -> Positions | None:
    parts = call.arguments["tensors"]
    known = [(part, call.positions(part)) for part in parts]
    count = next(len(p.coordinates) for _, p in known if p is not None)
    coordinates = []
    for index in range(count):
        pieces = [_expanded(part, positions, index) for part, positions in known]
        coordinates.append(torch.cat(pieces, call.arguments["dim"]))
    return Positions(shapes[0], tuple(coordinates)).moved_with_gaps(shapes[0], lambda c: c, [call.arguments["dim"]])


def _expanded(part: fx.Node, positions: Positions | None, index: int) -> Tensor:
    shape = concrete_shape(part.meta["val"])
    coordinate = None if positions is None else positions.coordinates[index]
    return torch.full(shape, torch.nan) if coordinate is None else coordinate.expand(shape)


def _split(call: _Call, shapes: Shapes) -> list[Positions] | None:
    source = call.positions(call.node.args[0])
    if source is None:
        return None
    dim, start, parts = call.arguments["dim"], 0, []
    for shape in shapes:
        parts.append(source.moved(shape, lambda c, s=start, n=shape[dim]: c.narrow(dim, s, n)))  # type: ignore[misc]
        start += shape[dim]
    return parts


def _padded(call: _Call, shapes: Shapes) -> Positions | None:
    """What is added at the borders has no position."""
    source = call.positions(call.node.args[0])
    pad = call.value(call.arguments["pad" if "pad" in call.arguments else "padding"])
    if source is None:
        return None
    axes = range(len(shapes[0]) - len(pad) // 2, len(shapes[0]))
    return source.moved_with_gaps(shapes[0], lambda c: torch.nn.functional.pad(c, list(pad), value=torch.nan), axes)


def _reduced(call: _Call, shapes: Shapes) -> Positions | None:
    """A mean over space that keeps the axes keeps its place too, like a pooling; otherwise it has none."""
    source = call.positions(call.node.args[0])
    if source is None:
        return None
    rank, dim = len(source.shape), call.arguments.get("dim")
    chosen = range(rank) if dim is None or dim == [] else ([dim] if isinstance(dim, int) else dim)
    axes = [axis % rank for axis in chosen]
    if len(shapes[0]) == rank:
        return source.mapped(shapes[0], lambda c: c.nanmean(axes, keepdim=True))
    kept = [axis for axis in range(rank) if axis not in axes]
    averaged = source.averaged(axes)
    return averaged.moved(shapes[0], lambda c: c.permute(*kept, *axes).reshape(shapes[0]))


def _contracted(call: _Call, source: Positions, axis: int) -> Positions:
    """A sum over an axis with weights. It tells that this axis is the channels', if other coordinates survive it."""
    result = source.averaged([axis])
    if any(coordinate is not None for coordinate in result.coordinates[1:]):
        for index, (before, after) in enumerate(zip(source.coordinates, result.coordinates, strict=True)):
            if before is not None and after is None:
                call.propagation.mark(index, CHANNEL)
    return result


def _linear(call: _Call, shapes: Shapes) -> Positions | None:
    source = call.positions(call.arguments["input"])
    if source is None:
        return None
    contracted = _contracted(call, source, len(source.shape) - 1)
    return Positions(shapes[0], contracted.coordinates)


def _product(call: _Call, shapes: Shapes) -> Positions | None:
    """``(…, I, K) (…, K, J)``: elements lie where their row in the left factor does, else their column in the right."""
    names = ("mat1", "mat2") if "mat1" in call.arguments else ("self", "mat2")
    left, right = (call.positions(call.arguments[name]) for name in names)
    rank = len(shapes[0])
    factors = [(factor, axis) for factor, axis in ((left, rank - 1), (right, rank - 2)) if factor is not None]
    results = [Positions(shapes[0], _contracted(call, factor, axis).coordinates) for factor, axis in factors]
    if not results:
        return None
    return joined(results, shapes[0])


def _convolved(call: _Call, shapes: Shapes) -> Positions | None:
    source = call.positions(call.arguments["input"])
    if source is None:
        return None
    a = call.arguments
    spatial = range(2, len(source.shape))
    for index, coordinate in enumerate(source.coordinates):
        if any(varies(coordinate, axis) for axis in spatial):
            call.propagation.mark(index, SPATIAL)
        elif varies(coordinate, 1):
            call.propagation.mark(index, CHANNEL)
    kernel = concrete_shape(a["weight"].meta["val"])[2:]
    settings = [_per_axis(a[name], len(spatial)) for name in ("stride", "padding", "dilation")]
    places = []
    for size, k, s, p, d in zip(shapes[0][2:], kernel, *settings, strict=True):
        outputs = torch.arange(size, dtype=torch.get_default_dtype())
        centre = d * (k - 1) / 2
        places.append((outputs + p - centre) / s if a["transposed"] else outputs * s - p + centre)
    return _resampled(source.averaged([1]), shapes[0], places)


def _pooled(call: _Call, shapes: Shapes) -> Positions | None:
    source = call.positions(call.node.args[0])
    if source is None:
        return None
    kernel = list(call.arguments["kernel_size"])
    rank = len(kernel)
    strides = _per_axis(call.arguments.get("stride") or kernel, rank)
    paddings = _per_axis(call.arguments.get("padding", [0]), rank)
    dilations = _per_axis(call.arguments.get("dilation", [1]), rank)
    _mark_spatial(call, source, rank)
    places = [
        torch.arange(size, dtype=torch.get_default_dtype()) * s - p + d * (k - 1) / 2
        for size, k, s, p, d in zip(shapes[0][-rank:], kernel, strides, paddings, dilations, strict=True)
    ]
    return _resampled(source, shapes[0], places)


def _resized(rank: int) -> Rule:
    """Adaptive pooling and interpolation: the output's cells divide the input's extent evenly."""

    def rule(call: _Call, shapes: Shapes) -> Positions | None:
        source = call.positions(call.node.args[0])
        if source is None:
            return None
        _mark_spatial(call, source, rank)
        places = [
            (torch.arange(size, dtype=torch.get_default_dtype()) + 0.5) * (before / size) - 0.5
            for size, before in zip(shapes[0][-rank:], source.shape[-rank:], strict=True)
        ]
        return _resampled(source, shapes[0], places)

    return rule


def _resampled(source: Positions, shape: tuple[int, ...], places: Sequence[Tensor]) -> Positions:
    def change(coordinate: Tensor) -> Tensor:
        for axis, where in enumerate(places, start=len(shape) - len(places)):
            coordinate = resampled(coordinate, axis, where)
        return coordinate

    return source.mapped(shape, change)


def _mark_spatial(call: _Call, source: Positions, rank: int) -> None:
    for index, coordinate in enumerate(source.coordinates):
        if any(varies(coordinate, axis) for axis in range(len(source.shape) - rank, len(source.shape))):
            call.propagation.mark(index, SPATIAL)


def _per_axis(value: Any, rank: int) -> list[int]:
    numbers = [value] if isinstance(value, int) else list(value)
    return numbers * rank if len(numbers) == 1 else numbers


RULES: dict[Any, Rule] = {
    **dict.fromkeys(
        (aten.view.default, aten._unsafe_view.default, aten.reshape.default, aten.squeeze.dims, aten.unsqueeze.default),
        _reshaped,
    ),
    **dict.fromkeys(
        (
            aten.permute.default,
            aten.transpose.int,
            aten.slice.Tensor,
            aten.select.int,
            aten.flip.default,
            aten.roll.default,
            aten.repeat.default,
            aten.unfold.default,
            aten.diagonal.default,
            aten.as_strided.default,
        ),
        _moved,
    ),
    aten.expand.default: lambda call, shapes: _elementwise(call, shapes),
    **dict.fromkeys((aten.index.Tensor, aten.index_select.default, aten.gather.default), _indexed),
    aten.embedding.default: _embedded,
    aten.cat.default: _concatenated,
    aten.split_with_sizes.default: _split,
    **dict.fromkeys(
        (
            aten.constant_pad_nd.default,
            *(
                getattr(aten, f"{kind}_pad{rank}d").default
                for kind in ("reflection", "replication")
                for rank in (1, 2, 3)
            ),
        ),
        _padded,
    ),
    **dict.fromkeys(
        (
            aten.sum.dim_IntList,
            aten.mean.dim,
            aten.amax.default,
            aten.amin.default,
            aten.max.dim,
            aten.min.dim,
            aten.median.dim,
            aten.var.correction,
            aten.prod.dim_int,
            aten.linalg_vector_norm.default,
        ),
        _reduced,
    ),
    **dict.fromkeys((aten.sort.default, aten.topk.default, aten.kthvalue.default), _unknown),
    aten.linear.default: _linear,
    **dict.fromkeys((aten.mm.default, aten.bmm.default, aten.addmm.default), _product),
    aten.convolution.default: _convolved,
    **dict.fromkeys(
        (
            aten.max_pool2d_with_indices.default,
            aten.max_pool3d_with_indices.default,
            aten.avg_pool2d.default,
            aten.avg_pool3d.default,
        ),
        _pooled,
    ),
    **{
        operator_: _resized(rank)
        for rank, operators in {
            1: (aten.upsample_nearest1d.vec, aten.upsample_linear1d.vec),
            2: (
                aten._adaptive_avg_pool2d.default,
                aten.adaptive_max_pool2d.default,
                aten.upsample_nearest2d.vec,
                aten.upsample_bilinear2d.vec,
                aten.upsample_bicubic2d.vec,
                aten._upsample_bilinear2d_aa.default,
                aten._upsample_bicubic2d_aa.default,
            ),
            3: (
                aten._adaptive_avg_pool3d.default,
                aten.adaptive_max_pool3d.default,
                aten.upsample_nearest3d.vec,
                aten.upsample_trilinear3d.vec,
            ),
        }.items()
        for operator_ in operators
    },
}
