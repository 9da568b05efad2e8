"""Windows along one axis: which elements they read, and the transpose of reading them, without scatter.

An offset ``d·i − p`` is ``s·σ + ρ``: tap ``i`` of every window is the residue ``ρ`` of the axis, shifted by ``σ``.
Values go back by adding the shifted taps of each residue and interleaving the residues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fgcompile.compiler.lowering.axes import (
    crop_axis,
    interleave,
    make_one_hot,
    multiply_axis,
    pad_axis,
    reshape,
    split_residues,
)

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


@dataclass(frozen=True)
class SlidingWindows:
    """Windows along one axis: position ``s·o + d·i − p`` is tap ``i < k`` of window ``o < O``.

    Attributes:
        size: The axis's size ``L``.
        count: The number of windows ``O``.
        kernel: Taps per window ``k``.
        stride: ``s``.
        padding: ``p``.
        dilation: ``d``.
    """

    size: int
    count: int
    kernel: int
    stride: int
    padding: int
    dilation: int


class Windows(SlidingWindows):
    """The windows along an axis whose size is a number: they are split into the residues of the stride."""

    @property
    def periods(self) -> int:
        """The size of a residue, ``⌈L/s⌉``."""
        return -(-self.size // self.stride)

    @property
    def tiles(self) -> bool:
        """Whether the windows lie side by side and within the axis, so that each element is in at most one."""
        whole = self.padding == 0 and self.dilation == 1 and self.count * self.kernel <= self.size
        return whole and self.kernel == self.stride

    @property
    def places(self) -> list[tuple[int, int]]:
        """Each tap's residue ``ρ`` and shift ``σ``, from ``d·i − p = s·σ + ρ``."""
        offsets = [self.dilation * tap - self.padding for tap in range(self.kernel)]
        return [(offset % self.stride, offset // self.stride) for offset in offsets]

    def gather(self, x: Tensor, axis: int) -> list[Tensor]:
        """The taps of ``x``, each with one element a window; outside of ``x`` they are −∞."""
        whole = pad_axis(x, axis, 0, self.periods * self.stride - self.size, float("-inf"))
        residues = split_residues(whole, axis, self.stride)
        return [
            pad_axis(residues[residue], axis, -shift, self.count + shift - self.periods, float("-inf"))
            for residue, shift in self.places
        ]

    def scatter(self, taps: Sequence[Tensor], axis: int) -> Tensor:
        """The transpose of :meth:`gather`: adds each tap's values where it was read."""
        # None is a residue that no tap reads, where the stride exceeds the kernel. Its zeros are a product, since the
        # batch is symbolic, and made only where there is such a residue.
        residues: list[Tensor | None] = [None] * self.stride
        for tap, (residue, shift) in zip(taps, self.places, strict=True):
            moved = pad_axis(tap, axis, shift, self.periods - self.count - shift)
            present = residues[residue]
            residues[residue] = moved if present is None else present + moved
        filled = next(residue for residue in residues if residue is not None)
        zeros = filled * 0 if None in residues else filled
        whole = interleave([zeros if residue is None else residue for residue in residues], axis)
        return crop_axis(whole, axis, self.size)


class DynamicWindows(SlidingWindows):
    """The windows along an axis of symbolic size: taps are slices with a step of the padded axis."""

    def gather(self, x: Tensor, axis: int) -> list[Tensor]:
        """The taps of ``x``, each with one element a window; outside of ``x`` they are −∞."""
        behind = self.padding + self.stride - 1  # the last window reaches that far in ceil mode
        whole = pad_axis(x, axis, self.padding, behind, float("-inf")) if self.padding + behind else x
        reach = self.stride * (self.count - 1) + 1
        starts = [self.dilation * tap for tap in range(self.kernel)]
        return [aten.slice.Tensor(whole, axis, start, start + reach, self.stride) for start in starts]

    def scatter(self, taps: Sequence[Tensor], axis: int) -> Tensor:
        """The transpose of :meth:`gather`: adds each tap's values where it was read."""
        # Counted from the beginning of the padded axis no shift is negative, so that nothing is cropped by a symbolic
        # amount before the padding is sliced off in the end.
        places = [divmod(self.dilation * tap, self.stride) for tap in range(self.kernel)]
        reach = places[-1][0] + 1  # up to s − 1 elements behind the last window are read by none
        residues: list[Tensor] = [taps[0] * 0] * self.stride
        residues = [pad_axis(residue, axis, 0, reach) for residue in residues]
        for tap, (shift, residue) in zip(taps, places, strict=True):
            residues[residue] = residues[residue] + pad_axis(tap, axis, shift, reach - shift)
        whole = interleave(residues, axis)
        return aten.slice.Tensor(whole, axis, self.padding, self.padding + self.size)


@dataclass(frozen=True)
class AdaptiveWindows:
    """Windows ``[⌊o·L/O⌋, ⌈(o+1)·L/O⌉)`` of unequal sizes, padded to the largest by repeating their last element.

    A repeated element never gets a gradient of its own, since the first maximum wins.
    """

    size: int
    count: int

    @property
    def kernel(self) -> int:
        """Taps of the largest window."""
        return max(-(-(o + 1) * self.size // self.count) - o * self.size // self.count for o in range(self.count))

    def positions(self, like: Tensor) -> Tensor:
        """The element that each tap of each window reads, ``(kernel, O)``."""
        window = torch.arange(self.count, device=like.device)
        start, end = bound_adaptive_windows(window, self.size, self.count)
        taps = torch.arange(self.kernel, device=like.device).unsqueeze(1)
        return aten.minimum.default(start + taps, end - 1)

    def gather(self, x: Tensor, axis: int) -> list[Tensor]:
        """The taps of ``x``, each with one element a window."""
        positions = self.positions(x)
        return [aten.index_select.default(x, axis, positions[tap]) for tap in range(positions.shape[0])]

    def scatter(self, taps: Sequence[Tensor], axis: int) -> Tensor:
        """The transpose of :meth:`gather`: one product of all taps with a constant 0/1 matrix."""
        positions = self.positions(taps[0]).reshape([-1])
        return multiply_axis(
            aten.cat.default(list(taps), axis), axis, make_one_hot(positions, self.size, taps[0].dtype)
        )


def bound_adaptive_windows(window: Tensor, size: int, count: int) -> tuple[Tensor, Tensor]:
    """``(⌊o·L/O⌋, ⌈(o+1)·L/O⌉)`` of each window ``o``."""
    start = aten.floor_divide.default(window * size, count)
    end = aten.floor_divide.default((window + 1) * size + (count - 1), count)
    return start, end


def make_sliding_average(
    windows: SlidingWindows, count_include_pad: bool, like: Tensor, divided: bool = True
) -> Tensor:
    """The matrix ``(O, L)`` of average pooling along one axis; of sums if it is not ``divided``."""
    start, stop, divisor = _bounds(windows, count_include_pad, like)
    return make_average_matrix(start, stop, divisor if divided else None, windows.size, like)


def divide_windows(windows: SlidingWindows, count_include_pad: bool, g: Tensor, axis: int) -> Tensor:
    """What average pooling along one axis divides each window's value by, done to ``g``."""
    divisor = _bounds(windows, count_include_pad, g)[2].to(g.dtype)
    return g / reshape(divisor, [windows.count, *[1] * (g.dim() - 1 - axis)])


def _bounds(windows: SlidingWindows, count_include_pad: bool, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The first element of each window, the one behind its last, and how many it counts."""
    begin = torch.arange(windows.count, device=like.device) * windows.stride - windows.padding
    end = aten.clamp.default(begin + windows.kernel, None, windows.size + windows.padding)
    start, stop = aten.clamp.default(begin, 0), aten.clamp.default(end, None, windows.size)
    return start, stop, end - begin if count_include_pad else stop - start


def make_average_matrix(start: Tensor, end: Tensor, divisor: Tensor | None, size: int, like: Tensor) -> Tensor:
    """The matrix ``(O, L)`` with ``1/divisor`` for ``start ≤ i < end``."""
    positions = torch.arange(size, device=like.device)
    start, end = start.unsqueeze(1), end.unsqueeze(1)
    inside = aten.logical_and.default(positions >= start, positions < end).to(like.dtype)
    return inside if divisor is None else inside / divisor.unsqueeze(1).to(like.dtype)
