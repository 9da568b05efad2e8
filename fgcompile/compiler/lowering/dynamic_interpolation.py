"""Linear and nearest-neighbour interpolation along a long axis of symbolic size, and its backward, by gathers.

The matrices of dynamic sizes are arithmetic on ranges, and grow with the square when they run. Here each output's
position is computed and read, and backward each element looks at the few outputs that can have read it:

    nearest:  ``out[j] = Σ_i [r_i == j] g[i]``,  ``r_i = ⌊(i + c) L/O⌋``,  of ``i`` near ``j O/L − c``
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fgcompile.compiler.ir.gathering import add_back_by_gathers, add_windows, interpolate_by_gathers
from fgcompile.compiler.ir.resampling import nearest_places

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


@dataclass(frozen=True)
class DynamicInterpolation:
    """How an axis is interpolated.

    Attributes:
        scale: The factor that the model gave.
        align_corners: Whether the first and last places fall on each other.
        nearest: The offset ``c`` of a nearest-neighbour one; None of a linear one.
        copies: Whether it reads as ``nearest_places`` has it.
    """

    scale: float | None
    align_corners: bool
    nearest: float | None
    copies: bool = False


def interpolate_dynamically(x: Tensor, axis: int, output: int, setting: DynamicInterpolation) -> Tensor:
    """The interpolation along one axis."""
    if setting.nearest is None:
        return interpolate_by_gathers(x, axis, output, setting.align_corners, setting.scale)
    read = _nearest(torch.arange(output, device=x.device), (x.shape[axis], output), setting)
    return aten.index_select.default(x, axis, read)


def go_back_dynamically(g: Tensor, axis: int, size: int, setting: DynamicInterpolation) -> Tensor:
    """Its transpose along one axis."""
    count, scale = g.shape[axis], setting.scale
    if setting.nearest is None:
        return add_back_by_gathers(g, axis, size, setting.align_corners, scale)
    # PyTorch rounds positions in float32, so an output next to those of exact arithmetic may be one that reads.
    elements = torch.arange(size, device=g.device)
    if scale is None:
        begin = torch.div(elements * count, size, rounding_mode="floor")
        most = (count + size - 1) // size + 4
    else:
        begin = aten.floor.default(elements.to(torch.float32) * scale).to(torch.int64)
        most = math.ceil(scale) + 4
    rows = (begin - 2).reshape([-1, 1]) + torch.arange(most, device=g.device)
    kept = rows.clamp(min=0).clamp(max=count - 1)
    read = _nearest(kept, (size, count), setting)
    reads = aten.eq.Tensor(read, elements.reshape([-1, 1]))
    return add_windows(g, axis, kept, aten.logical_and.default(reads, aten.eq.Tensor(kept, rows)).to(g.dtype))


def _nearest(rows: Tensor, sizes: tuple[int, int], setting: DynamicInterpolation) -> Tensor:
    """The element that each of ``rows`` reads: positions in float32, as PyTorch computes them."""
    (size, output), scale, offset = sizes, setting.scale, setting.nearest
    assert offset is not None
    ratio = torch.full((1,), 1.0) * size / output if scale is None else 1.0 / scale
    read = aten.floor.default((rows.to(torch.float32) + offset) * ratio).to(torch.int64)
    read = nearest_places(read, sizes, rows, scale) if setting.copies else read
    return read.clamp(max=size - 1)
