"""Backward of interpolation: ``∂x = g Mᵀ`` along each axis, with ``M`` the interpolation's own matrix.

Interpolation is linear and separable. The matrix ``M (L, O)`` of an axis is what the forward operator makes of the
identity, so corners, scales, borders and rounding are PyTorch's own; it depends on no input and is folded. Of symbolic
sizes it is written out as arithmetic on ranges. Of a long axis it would be too large (``long_interpolation``).

Nearest-neighbour upsampling by whole factors adds up blocks instead: average pooling times the block's size. Lowered
forward are ``nearest-exact``, since ONNX's exporter knows only gathers for it, and interpolation by factors that the
sizes do not give, whose positions it mistakes; and of long axes, at positions that float32 does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import SymInt, Tensor

from fgcompile.compiler.ir.gathering import is_large
from fgcompile.compiler.ir.resampling import linear_matrix, nearest_places
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.lowering.axes import is_dynamic, multiply_axis
from fgcompile.compiler.lowering.bands import Band, probed_band
from fgcompile.compiler.lowering.dynamic_interpolation import (
    DynamicInterpolation,
    go_back_dynamically,
    interpolate_dynamically,
)
from fgcompile.compiler.lowering.long_interpolation import Positions, add_blocks, long_positions
from fgcompile.errors import UnsupportedOpError

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def _make_identity(size: int, like: Tensor) -> Tensor:
    """The unit vectors as images of height one, ``(1, L, 1, L)``."""
    identity = torch.eye(size, dtype=like.dtype, device=like.device)
    return aten.view.default(identity, [1, size, 1, size])


def _resize(
    forward: Callable[..., Tensor], output: int, scale: float | None, corners: Sequence[bool]
) -> Callable[[Tensor], Tensor]:
    """The interpolation of the last axis of images. (In one dimension, ONNX's exporter mistakes fractional scales.)"""
    return lambda image: forward(image, [1, output], *corners, scale and 1.0, scale)


def _make_matrix(
    forward: Callable[..., Tensor], size: int, output: int, scale: float | None, like: Tensor, corners: Sequence[bool]
) -> Tensor:
    """``M`` of an interpolation; ``corners`` holds whether they are aligned, and nothing of a nearest-neighbour one."""
    if is_dynamic(size) or is_dynamic(output):
        if corners:
            return _dynamic_linear_matrix(forward, size, output, scale, like, corners[0])
        return _dynamic_nearest_matrix(forward, size, output, scale, like)
    image = _resize(forward, output, scale, corners)(_make_identity(size, like))
    return aten.view.default(image, [size, output])


def _positions(
    forward: Callable[..., Tensor], size: int, output: int, scale: float | None, corners: Sequence[bool]
) -> Positions | None:
    """Where a long axis is read, by an operator that reads between two neighbours at most; else None."""
    if forward not in LOCAL:
        return None
    return long_positions(_resize(forward, output, scale, corners), size, output)


def _band(
    forward: Callable[..., Tensor], size: int, output: int, scale: float | None, corners: Sequence[bool]
) -> Band | None:
    """The weights along a long axis of an operator that reads more than two neighbours; else None."""
    if forward not in REACHES or is_dynamic(size) or is_dynamic(output):
        return None
    taps, widens = REACHES[forward]
    reach = taps * max(1.0, 1 / scale if scale else size / output) if widens else taps
    return probed_band(_resize(forward, output, scale, corners), size, output, reach)


def _interpolate(
    forward: Callable[..., Tensor], x: Tensor, axis: int, output: int, scale: float | None, corners: Sequence[bool]
) -> Tensor:
    """The interpolation along one axis, by its matrix or by gathers."""
    size = x.shape[axis]
    positions = _positions(forward, size, output, scale, corners)
    if positions is not None:
        return positions.read(x, axis)
    band = _band(forward, size, output, scale, corners)
    if band is not None:
        return band.apply(x, axis)
    if _is_long_and_dynamic(size, output) and forward in LOCAL:
        return interpolate_dynamically(x, axis, output, _setting(forward, scale, corners))
    return multiply_axis(x, axis, _make_matrix(forward, size, output, scale, x, corners))


def _go_back(
    forward: Callable[..., Tensor], g: Tensor, axis: int, size: int, scale: float | None, corners: Sequence[bool]
) -> Tensor:
    """Its transpose along one axis: ``g Mᵀ``."""
    output = g.shape[axis]
    positions = _positions(forward, size, output, scale, corners)
    added = None if positions is None else positions.add_back(g, axis)
    if added is not None:
        return added
    band = _band(forward, size, output, scale, corners)
    if band is not None:
        return band.transposed().apply(g, axis)
    if _is_long_and_dynamic(size, output) and forward in LOCAL:
        return go_back_dynamically(g, axis, size, _setting(forward, scale, corners))
    return multiply_axis(g, axis, _make_matrix(forward, size, output, scale, g, corners).t())


def _is_long_and_dynamic(size: int, output: int) -> bool:
    return (is_dynamic(size) or is_dynamic(output)) and is_large(size, output)


def _setting(forward: Callable[..., Tensor], scale: float | None, corners: Sequence[bool]) -> DynamicInterpolation:
    nearest = None if corners else (0.5 if forward is _nearest_exact else 0.0)
    return DynamicInterpolation(scale, bool(corners and corners[0]), nearest, forward is _nearest)


def _dynamic_linear_matrix(
    forward: Callable[..., Tensor], size: int, output: int, scale: float | None, like: Tensor, align_corners: bool
) -> Tensor:
    """``M`` of sizes that are not numbers, written out; of linear interpolation only."""
    if forward is not aten.upsample_bilinear2d.default:
        raise UnsupportedOpError(
            f"'{forward}' has no lowering for dynamic sizes: interpolate linearly, or leave out dynamic_sizes"
        )
    return linear_matrix(size, output, align_corners, like, scale).t()


def _dynamic_nearest_matrix(
    forward: Callable[..., Tensor], size: int, output: int, scale: float | None, like: Tensor
) -> Tensor:
    """``M`` of sizes that are not numbers: ``[i == ⌊(o + c) L/O⌋]``, in float32 as PyTorch computes positions."""
    offset = 0.5 if forward is aten._upsample_nearest_exact2d.default else 0.0
    places = torch.arange(output, dtype=torch.float32, device=like.device)
    ratio = torch.full((1,), 1.0) * size / output if scale is None else 1.0 / scale
    read = aten.floor.default((places + offset) * ratio)
    read = nearest_places(read, (size, output), places, scale) if forward is _nearest else read
    positions = torch.arange(size, dtype=torch.float32, device=like.device)
    return aten.eq.Tensor(positions.unsqueeze(1), aten.minimum.default(read, positions[-1:])).to(like.dtype)


def _find_factors(sizes: Sequence[int], outputs: Sequence[int], scales: Sequence[float | None]) -> list[int] | None:
    """The whole factors of an upsampling; None where an axis has none, or no factor that symbolic sizes give."""
    # Symbolic sizes cannot tell a factor from a chance ratio, so only a factor that the model gave counts. Numbers can;
    # but where the model gave another factor too, PyTorch reads at its positions, not at the sizes'.
    if any(is_dynamic(size) for size in (*sizes, *outputs)):
        known = [int(scale) for scale in scales if scale is not None and scale == int(scale)]
        return known if len(known) == len(sizes) else None
    factors = [output // size for size, output in zip(sizes, outputs, strict=True)]
    exact = all(
        output == size * factor and scale in (None, factor)
        for size, output, scale, factor in zip(sizes, outputs, scales, factors, strict=True)
    )
    return factors if exact else None


def _lower_linear_backward(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def lower(
        grad_output: Tensor,
        output_size: Sequence[int],
        input_size: Sequence[int],
        align_corners: bool,
        *scales: float | None,
    ) -> Tensor:
        """Lowers the backward of linear and cubic interpolation in one to three dimensions."""
        g = grad_output
        scales = scales or (None,) * len(output_size)
        for axis, (size, scale) in enumerate(zip(input_size[2:], scales, strict=True), start=2):
            g = _go_back(forward, g, axis, size, scale, [align_corners])
        return g

    return lower


def _lower_nearest_backward(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def lower(
        grad_output: Tensor, output_size: Sequence[int], input_size: Sequence[int], *scales: float | None
    ) -> Tensor:
        """Lowers the backward of nearest-neighbour interpolation in one to three dimensions."""
        g = grad_output
        scales = scales or (None,) * len(output_size)
        factors = _find_factors(input_size[2:], output_size, scales)
        # The pooling has a form for images alone; signals and volumes take the matrices, or the sums of long blocks.
        if factors is not None and len(factors) == 2:
            return aten.avg_pool2d.default(g, factors, factors) * math.prod(factors)
        if factors is not None and any(map(is_large, input_size[2:], output_size)):
            return add_blocks(g, factors, input_size[2:])
        for axis, (size, scale) in enumerate(zip(input_size[2:], scales, strict=True), start=2):
            g = _go_back(forward, g, axis, size, scale, [])
        return g

    return lower


def _lower_linear(forward: Callable[..., Tensor]) -> Callable[..., Any]:
    def lower(self: Tensor, output_size: Sequence[int], align_corners: bool, *scales: float | None) -> Any:
        """Lowers linear and cubic interpolation by factors that the sizes do not give, and along long axes.

        PyTorch then computes positions from the factor, ONNX's exporter from the sizes; along a long axis both round
        them to float32, see ``Positions.is_exact``. Others stay one operator.
        """
        scales = scales or (None,) * len(output_size)
        axes = list(zip(self.shape[2:], output_size, scales, strict=True))
        # Of symbolic sizes only a whole factor is the ratio of every size: that of the example's is a chance.
        regular = align_corners or all(
            scale is None or (size * scale == output and (scale == int(scale) or not is_dynamic(size)))
            for size, output, scale in axes
        )
        # The batch is symbolic in the model's own calls, and a number where the identity is interpolated to make a
        # matrix: lowering that call too would never end.
        if not isinstance(self.shape[0], SymInt):
            return NotImplemented
        long = [_positions(forward, *sizes, [align_corners]) for sizes in axes]
        if regular and all(positions is None or positions.is_exact for positions in long):
            return NotImplemented
        x = self
        for axis, (output, scale) in enumerate(zip(output_size, scales, strict=True), start=2):
            x = _interpolate(forward, x, axis, output, scale, [align_corners])
        return x

    return lower


def _lower_nearest_exact(upsample: Callable[..., Tensor]) -> Callable[..., Any]:
    def lower(self: Tensor, output_size: Sequence[int], *scales: float | None) -> Any:
        """Lowers ``_upsample_nearest_exact{1,2,3}d`` of an activation; a constant, like the identity, is folded."""
        if not isinstance(self.shape[0], SymInt):
            return NotImplemented
        scales = scales or (None,) * len(output_size)
        if _find_factors(self.shape[2:], output_size, scales) is not None:
            return upsample(self, list(output_size), *scales)
        x = self
        for axis, (output, scale) in enumerate(zip(output_size, scales, strict=True), start=2):
            x = _interpolate(aten._upsample_nearest_exact2d.default, x, axis, output, scale, [])
        return x

    return lower


def _lower_nearest(self: Tensor, output_size: Sequence[int], *scales: float | None) -> Any:
    """Lowers ``upsample_nearest2d`` by factors that dynamic sizes do not give; the exporter's positions are others'."""
    whole = all(scale is None or scale == int(scale) for scale in scales)
    if whole or not isinstance(self.shape[0], SymInt) or not any(map(is_dynamic, self.shape[2:])):
        return NotImplemented
    x = self
    for axis, (output, scale) in enumerate(zip(output_size, scales, strict=True), start=2):
        x = _interpolate(_nearest, x, axis, output, scale, [])
    return x


def _nearest_of_others(*arguments: Any) -> Tensor:
    """That of signals and volumes, which does not read as ``nearest_places`` has it."""
    return aten.upsample_nearest2d.default(*arguments)


_nearest = aten.upsample_nearest2d.default
_nearest_exact = aten._upsample_nearest_exact2d.default
_linear = aten.upsample_bilinear2d.default
_cubic = aten.upsample_bicubic2d.default
_smooth_linear = aten._upsample_bilinear2d_aa.default
_smooth_cubic = aten._upsample_bicubic2d_aa.default

REACHES: dict[Callable[..., Tensor], tuple[int, bool]] = {
    _cubic: (2, False),
    _smooth_linear: (1, True),
    _smooth_cubic: (2, True),
}
"""How far operators read that are not local, and whether this is in elements of the smaller of the two sizes."""

LOCAL = (_nearest, _nearest_of_others, _nearest_exact, _linear)
"""Operators each of whose outputs is one element, or lies between two neighbours."""

LOWERINGS: dict[OpOverload, Callable[..., Any]] = {
    aten.upsample_nearest1d_backward.default: _lower_nearest_backward(_nearest_of_others),
    aten.upsample_nearest2d_backward.default: _lower_nearest_backward(_nearest),
    aten.upsample_nearest3d_backward.default: _lower_nearest_backward(_nearest_of_others),
    aten._upsample_nearest_exact1d_backward.default: _lower_nearest_backward(_nearest_exact),
    aten._upsample_nearest_exact2d_backward.default: _lower_nearest_backward(_nearest_exact),
    aten._upsample_nearest_exact3d_backward.default: _lower_nearest_backward(_nearest_exact),
    aten.upsample_linear1d_backward.default: _lower_linear_backward(_linear),
    aten.upsample_bilinear2d_backward.default: _lower_linear_backward(_linear),
    aten.upsample_trilinear3d_backward.default: _lower_linear_backward(_linear),
    aten.upsample_bicubic2d_backward.default: _lower_linear_backward(_cubic),
    aten._upsample_bilinear2d_aa_backward.default: _lower_linear_backward(_smooth_linear),
    aten._upsample_bicubic2d_aa_backward.default: _lower_linear_backward(_smooth_cubic),
    aten.upsample_linear1d.default: _lower_linear(_linear),
    aten.upsample_bilinear2d.default: _lower_linear(_linear),
    aten.upsample_trilinear3d.default: _lower_linear(_linear),
    aten.upsample_bicubic2d.default: _lower_linear(_cubic),
    aten._upsample_bilinear2d_aa.default: _lower_linear(_smooth_linear),
    aten._upsample_bicubic2d_aa.default: _lower_linear(_smooth_cubic),
    aten.upsample_nearest2d.default: _lower_nearest,
    aten._upsample_nearest_exact1d.default: _lower_nearest_exact(aten.upsample_nearest1d.default),
    aten._upsample_nearest_exact2d.default: _lower_nearest_exact(aten.upsample_nearest2d.default),
    aten._upsample_nearest_exact3d.default: _lower_nearest_exact(aten.upsample_nearest3d.default),
}
