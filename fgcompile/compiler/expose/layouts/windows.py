"""Sliding windows and changes of resolution: coordinates are read at the windows' centres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.expose.layouts.call import CHANNEL, SPATIAL, PositionCall, PositionRule, Shapes, concrete_shape
from fgcompile.compiler.expose.layouts.positions import Positions, moves, resampled

aten = torch.ops.aten


def _convolved(call: PositionCall, shapes: Shapes) -> Positions | None:
    source = call.positions(call.arguments["input"])
    if source is None:
        return None
    a = call.arguments
    # What a convolution slides over is space, and what it sums over whole is the channels' axis: that is how an input
    # (N, H, W, C) that is permuted first comes to be read as it is meant.
    spatial = range(2, len(source.shape))
    for index, coordinate in enumerate(source.coordinates):
        if any(moves(coordinate, axis) for axis in spatial):
            call.mark(index, SPATIAL)
        elif moves(coordinate, 1):
            call.mark(index, CHANNEL)
    kernel = concrete_shape(a["weight"].meta["val"])[2:]
    settings = [_per_axis(a[name], len(spatial)) for name in ("stride", "padding", "dilation")]
    places = []
    for size, k, s, p, d in zip(shapes[0][2:], kernel, *settings, strict=True):
        outputs = torch.arange(size, dtype=torch.get_default_dtype())
        centre = d * (k - 1) / 2
        # Output o sees the inputs o·s − p … o·s − p + d (k − 1); transposed, the two change their parts.
        places.append((outputs + p - centre) / s if a["transposed"] else outputs * s - p + centre)
    return _resampled(source.averaged([1]), shapes[0], places)


def _pooled(call: PositionCall, shapes: Shapes) -> Positions | None:
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


def _resized(rank: int) -> PositionRule:
    """Adaptive pooling and interpolation: the output's cells divide the input's extent evenly."""

    def rule(call: PositionCall, shapes: Shapes) -> Positions | None:
        source = call.positions(call.node.args[0])
        if source is None:
            return None
        _mark_spatial(call, source, rank)
        places = [
            (torch.arange(size, dtype=torch.get_default_dtype()) + 0.5) * (before / max(size, 1)) - 0.5
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


def _mark_spatial(call: PositionCall, source: Positions, rank: int) -> None:
    for index, coordinate in enumerate(source.coordinates):
        if any(moves(coordinate, axis) for axis in range(len(source.shape) - rank, len(source.shape))):
            call.mark(index, SPATIAL)


def _per_axis(value: Any, rank: int) -> list[int]:
    numbers = [value] if isinstance(value, int) else list(value)
    return numbers * rank if len(numbers) == 1 else numbers


WINDOWS: dict[Any, PositionRule] = {
    aten.convolution.default: _convolved,
    aten.max_pool2d_with_indices.default: _pooled,
    aten.max_pool3d_with_indices.default: _pooled,
    aten.avg_pool2d.default: _pooled,
    aten.avg_pool3d.default: _pooled,
    **{getattr(aten, f"_adaptive_avg_pool{rank}d").default: _resized(rank) for rank in (2, 3)},
    **{getattr(aten, f"adaptive_max_pool{rank}d").default: _resized(rank) for rank in (2, 3)},
    **{getattr(aten, f"upsample_nearest{rank}d").vec: _resized(rank) for rank in (1, 2, 3)},
    **{getattr(aten, f"_upsample_nearest_exact{rank}d").vec: _resized(rank) for rank in (1, 2, 3)},
    aten.upsample_linear1d.vec: _resized(1),
    aten.upsample_bilinear2d.vec: _resized(2),
    aten.upsample_bicubic2d.vec: _resized(2),
    aten._upsample_bilinear2d_aa.default: _resized(2),
    aten._upsample_bicubic2d_aa.default: _resized(2),
    aten.upsample_trilinear3d.vec: _resized(3),
}
