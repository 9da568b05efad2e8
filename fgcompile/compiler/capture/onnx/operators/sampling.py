"""Values between places: grids, regions, and convolutions whose taps are moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.padding import by_axis
from fgcompile.errors import UnsupportedOpError

_MODES = {"linear": "bilinear", "cubic": "bicubic"}


def grid_sample(
    x: Tensor, grid: Tensor, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros"
) -> Tensor:
    """``x (N, C, …)`` at ``grid (N, …, axes)``, whose coordinates run from −1 to 1."""
    return functional.grid_sample(x, grid, _MODES.get(mode, mode), padding_mode, bool(align_corners))


def affine_grid(theta: Tensor, size: Sequence[Any], *, align_corners: int = 0) -> Tensor:
    return functional.affine_grid(theta, list(size), align_corners=bool(align_corners))


def roi_align(
    x: Tensor,
    rois: Tensor,
    batch_indices: Tensor,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Tensor:
    """The mean over ``sampling_ratio²`` places in each of the bins of a region: ``(regions, C, height, width)``.

    Raises:
        UnsupportedOpError: It takes the largest, or as many places as a region is large.
    """
    if mode != "avg" or sampling_ratio <= 0:
        raise UnsupportedOpError("it takes the largest, or a number of samples that the regions decide")
    half = 0.5 if coordinate_transformation_mode == "half_pixel" else 0.0
    corners = rois * spatial_scale - half
    least = 0.0 if half else 1.0
    places = [
        _places(corners[:, axis], corners[:, 2 + axis], least, count * sampling_ratio)
        for axis, count in ((0, output_width), (1, output_height))
    ]
    sampled = _bilinear(x.index_select(0, batch_indices), *places)
    bins = _parted(sampled, 3, output_width, sampling_ratio).mean(4)
    return _parted(bins, 2, output_height, sampling_ratio).mean(3)


def _parted(x: Tensor, axis: int, *sizes: int) -> Tensor:
    """An axis as several."""
    return x.reshape([*x.shape[:axis], *sizes, *x.shape[axis + 1 :]])


def _places(start: Tensor, end: Tensor, least: float, count: int) -> Tensor:
    """``count`` places in the middle of equal parts of each region: ``(regions, count)``."""
    length = (end - start).clamp(min=least) if least else end - start
    shares = (torch.arange(count, dtype=start.dtype, device=start.device) + 0.5) / count
    return start.unsqueeze(1) + length.unsqueeze(1) * shares


def _bilinear(x: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """``x (R, C, H, W)`` at columns and rows; the edge up to one place beyond it, zero further out."""
    height, width = x.shape[2:]
    inside = [((place >= -1) & (place <= size)).to(x.dtype) for place, size in ((columns, width), (rows, height))]
    across = (columns.clamp(0, width - 1) * 2 + 1) / width - 1
    down = (rows.clamp(0, height - 1) * 2 + 1) / height - 1
    grid = torch.stack(
        (across.unsqueeze(1).expand(-1, down.shape[1], -1), down.unsqueeze(2).expand(-1, -1, across.shape[1])), -1
    )
    sampled = functional.grid_sample(x, grid, "bilinear", "border", False)
    return sampled * inside[0][:, None, None, :] * inside[1][:, None, :, None]


def deform_conv(
    x: Tensor,
    weight: Tensor,
    offset: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    dilations: Sequence[int] = (1, 1),
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    offset_group: int = 1,
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
) -> Tensor:
    """A convolution whose taps are moved by ``offset (N, groups · taps · 2, *outputs)`` and weighted by ``mask``."""
    n, channels, taps, outputs = x.shape[0], x.shape[1], weight.shape[2] * weight.shape[3], offset.shape[2:]
    moved = _parted(offset, 1, offset_group, taps, 2).flatten(0, 1)
    grid = _taps(moved, list(weight.shape[2:]), (strides, pads, dilations), x.shape[2:])
    parts = _parted(x, 1, offset_group, channels // offset_group).flatten(0, 1)
    sampled = functional.grid_sample(parts, grid, "bilinear", "zeros", False)
    columns = sampled.reshape(n, offset_group, channels // offset_group, taps, *outputs)
    if mask is not None:
        columns = columns * _parted(mask, 1, offset_group, 1, taps)
    columns = columns.reshape(n, group, channels // group, taps, *outputs)
    kernel = weight.reshape(group, weight.shape[0] // group, weight.shape[1], taps)
    result = torch.einsum("ngcthw,gmct->ngmhw", columns, kernel).flatten(1, 2)
    return result if bias is None else result + bias.reshape(-1, 1, 1)


def _taps(
    moved: Tensor,
    kernel: Sequence[int],
    steps: tuple[Sequence[int], Sequence[int], Sequence[int]],
    sizes: Sequence[Any],
) -> Tensor:
    """Where taps lie, from −1 to 1 over ``sizes``, of their offsets ``(N, taps, 2, *outputs)``."""
    strides, pads, dilations = steps
    places = []
    for axis in range(2):
        along = [-1 if each == axis else 1 for each in range(2)]
        starts = torch.arange(moved.shape[3 + axis], dtype=moved.dtype) * strides[axis] - pads[axis]
        tap = (torch.arange(kernel[axis], dtype=moved.dtype) * dilations[axis]).reshape(along).expand(*kernel)
        place = moved[:, :, axis] + tap.reshape(-1, 1, 1) + starts.reshape(along)
        places.append((place * 2 + 1) / sizes[axis] - 1)
    return torch.stack((places[1], places[0]), -1).flatten(1, 2)


def max_unpool(
    x: Tensor,
    indices: Tensor,
    output_shape: Sequence[Any] | None = None,
    *,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Tensor:
    """The values of ``x`` at their indices in the whole tensor ``(N, C, …)`` that was pooled, zero elsewhere."""
    axes = len(kernel_shape)
    stride, pad = list(strides or [1] * axes), list(pads or [0] * (2 * axes))
    space = [
        (x.shape[2 + axis] - 1) * stride[axis] + kernel_shape[axis] - pad[axis] - pad[axes + axis]
        for axis in range(axes)
    ]
    flat = x.flatten(1)
    sample = x.new_zeros([x.shape[0], x.shape[1], *space]).flatten(1)
    first = torch.arange(x.shape[0], device=x.device).unsqueeze(1) * sample.shape[1]
    result = sample.scatter(1, indices.flatten(1) - first, flat).reshape([x.shape[0], x.shape[1], *space])
    if output_shape is None:
        return result
    more = [size - had for size, had in zip(output_shape[2:], space, strict=True)]
    return functional.pad(result, by_axis([0] * axes, more))


SAMPLING: dict[str, Operator] = {
    "AffineGrid": Operator(affine_grid, ("size",)),
    "DeformConv": Operator(deform_conv, note="of two axes"),
    "GridSample": Operator(grid_sample),
    "MaxUnpool": Operator(max_unpool, ("output_shape",)),
    "RoiAlign": Operator(roi_align, note="means of a given number of samples"),
}
