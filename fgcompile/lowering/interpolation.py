"""Backward of interpolation: ``∂x = g Mᵀ`` along each axis, with ``M`` the interpolation's own matrix.

Interpolation is linear and separable. The matrix ``M (L, O)`` of an axis is what the forward operator makes of the
identity, so corners, scales, borders and rounding are PyTorch's own; it depends on no input and is folded.

Nearest-neighbour upsampling by whole factors adds up blocks instead: average pooling times the block's size.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.lowering.axes import multiply_axis

aten = torch.ops.aten


def _interpolate_identity(forward: Callable[..., Tensor], size: int, like: Tensor, *arguments: Any) -> Tensor:
    """``M`` from a one-dimensional operator: it sees ``L`` channels, one for each unit vector."""
    identity = torch.eye(size, dtype=like.dtype, device=like.device)
    return aten.squeeze.dim(forward(aten.unsqueeze.default(identity, 0), *arguments), 0)


def _interpolate_identity_2d(
    forward: Callable[..., Tensor], size: int, like: Tensor, output: int, align_corners: bool, scale: float | None
) -> Tensor:
    """``M`` from an operator that exists in two dimensions only: unit vectors of height one."""
    identity = torch.eye(size, dtype=like.dtype, device=like.device).reshape([1, size, 1, size])
    return forward(identity, [1, output], align_corners, None, scale).reshape([size, output])


def _lower_linear(matrix: Callable[..., Tensor]) -> Callable[..., Tensor]:
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
        for axis, (size, output, scale) in enumerate(zip(input_size[2:], output_size, scales, strict=True), start=2):
            g = multiply_axis(g, axis, matrix(size, g, output, align_corners, scale).t())
        return g

    return lower


def _linear_matrix(size: int, like: Tensor, output: int, align_corners: bool, scale: float | None) -> Tensor:
    return _interpolate_identity(aten.upsample_linear1d.default, size, like, [output], align_corners, scale)


def _lower_nearest(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def lower(
        grad_output: Tensor, output_size: Sequence[int], input_size: Sequence[int], *scales: float | None
    ) -> Tensor:
        """Lowers the backward of nearest-neighbour interpolation in one to three dimensions."""
        g = grad_output
        scales = scales or (None,) * len(output_size)
        settings = list(zip(input_size[2:], output_size, scales, strict=True))
        factors = [output // size for size, output, _ in settings]
        whole = all(
            output == size * factor and scale in (None, factor)
            for (size, output, scale), factor in zip(settings, factors, strict=True)
        )
        if whole and len(factors) == 2:
            return aten.avg_pool2d.default(g, factors, factors) * math.prod(factors)
        for axis, (size, output, scale) in enumerate(settings, start=2):
            g = multiply_axis(g, axis, _interpolate_identity(forward, size, g, [output], scale).t())
        return g

    return lower


_lower_cubic = _lower_linear(functools.partial(_interpolate_identity_2d, aten.upsample_bicubic2d.default))
_lower_smooth_linear = _lower_linear(functools.partial(_interpolate_identity_2d, aten._upsample_bilinear2d_aa.default))
_lower_smooth_cubic = _lower_linear(functools.partial(_interpolate_identity_2d, aten._upsample_bicubic2d_aa.default))

DECOMPOSITIONS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.upsample_nearest1d_backward.default: _lower_nearest(aten.upsample_nearest1d.default),
    aten.upsample_nearest2d_backward.default: _lower_nearest(aten.upsample_nearest1d.default),
    aten.upsample_nearest3d_backward.default: _lower_nearest(aten.upsample_nearest1d.default),
    aten._upsample_nearest_exact1d_backward.default: _lower_nearest(aten._upsample_nearest_exact1d.default),
    aten._upsample_nearest_exact2d_backward.default: _lower_nearest(aten._upsample_nearest_exact1d.default),
    aten._upsample_nearest_exact3d_backward.default: _lower_nearest(aten._upsample_nearest_exact1d.default),
    aten.upsample_linear1d_backward.default: _lower_linear(_linear_matrix),
    aten.upsample_bilinear2d_backward.default: _lower_linear(_linear_matrix),
    aten.upsample_trilinear3d_backward.default: _lower_linear(_linear_matrix),
    aten.upsample_bicubic2d_backward.default: _lower_cubic,
    aten._upsample_bilinear2d_aa_backward.default: _lower_smooth_linear,
    aten._upsample_bicubic2d_aa_backward.default: _lower_smooth_cubic,
}
