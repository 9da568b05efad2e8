"""How windows are padded: ``auto_pad`` and ``pads`` of convolutions and poolings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fgcompile.compiler.capture.onnx.symbols import larger


def window_pads(
    sizes: Sequence[Any],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    auto_pad: str,
    pads: Sequence[int] | None,
) -> tuple[list[Any], list[Any]]:
    """What is added before and after each axis of space.

    ``SAME_UPPER`` and ``SAME_LOWER`` give outputs of ``⌈size / stride⌉``; where the sum is odd, the last or the first
    side has the more.
    """
    axes = len(sizes)
    if auto_pad in ("NOTSET", ""):
        both = list(pads or [0] * (2 * axes))
        return both[:axes], both[axes:]
    if auto_pad == "VALID":
        return [0] * axes, [0] * axes
    before, after = [], []
    for size, window, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        reach = (window - 1) * dilation + 1
        # The last window begins where the last stride does, of 1 to ``stride`` elements.
        total = reach - 1 - (size - 1) % stride
        total = larger(total, 0) if reach < stride else total
        less, more = total // 2, total - total // 2
        before.append(less if auto_pad == "SAME_UPPER" else more)
        after.append(more if auto_pad == "SAME_UPPER" else less)
    return before, after


def by_axis(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """What is added before and after each axis, the last axis first, as ``torch.nn.functional.pad`` takes it."""
    return [each for pair in zip(reversed(before), reversed(after), strict=True) for each in pair]


def alike(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether both ends of each axis get as much, whatever its size is: a symbol is not asked."""
    return all(isinstance(each, int) for each in (*before, *after)) and list(before) == list(after)
