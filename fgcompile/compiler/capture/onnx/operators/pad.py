"""What is added around a tensor, or cut from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.padding import by_axis
from fgcompile.compiler.capture.onnx.symbols import larger
from fgcompile.errors import UnsupportedOpError

_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
_NUMPY: dict[str, Any] = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


def pad(
    x: Tensor,
    pads: Sequence[Any],
    constant_value: Any = None,
    axes: Sequence[int] | None = None,
    *,
    mode: str = "constant",
) -> Tensor:
    """``pads`` are those at the beginnings of all axes, or of ``axes``, then at the ends; negative ones cut.

    Raises:
        UnsupportedOpError: A dynamic size is to be reflected or repeated over more axes than PyTorch does.
    """
    named = [axis % x.ndim for axis in (range(x.ndim) if axes is None else axes)]
    before, after = [0] * x.ndim, [0] * x.ndim
    for place, axis in enumerate(named):
        before[axis], after[axis] = pads[place], pads[len(named) + place]
    if mode == "constant":
        return _filled(x, _trimmed(by_axis(before, after)), 0 if constant_value is None else constant_value)
    cut = [min(each, 0) if isinstance(each, int) else 0 for each in by_axis(before, after)]
    if any(cut):
        x = functional.pad(x, cut)
        before, after = ([larger(each, 0) for each in side] for side in (before, after))
    return _repeated(x, before, after, mode)


def _filled(x: Tensor, pads: list[Any], value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        return functional.pad(x, pads, value=value)
    within = functional.pad(torch.ones_like(x, dtype=torch.bool), pads, value=False)
    return torch.where(within, functional.pad(x, pads), value)


def _adds(pad: Any) -> bool:
    """Whether it may be another number than zero."""
    return not isinstance(pad, int) or pad != 0


def _trimmed(pads: list[Any]) -> list[Any]:
    """Without the leading axes that get nothing, the last of the list."""
    while len(pads) > 2 and not any(map(_adds, pads[-2:])):
        pads = pads[:-2]
    return pads


def _repeated(x: Tensor, before: list[Any], after: list[Any], mode: str) -> Tensor:
    # PyTorch does so over all axes but the first two, and at most once; dynamic sizes are larger than what is added.
    within = mode == "edge" or all(
        not (isinstance(size, int) and isinstance(pad, int)) or pad < size + (mode == "wrap")
        for side in (before, after)
        for pad, size in zip(side[2:], x.shape[2:], strict=True)
    )
    if 3 <= x.ndim <= 5 and within and not any(map(_adds, before[:2] + after[:2])):
        return functional.pad(x, by_axis(before[2:], after[2:]), mode=_MODES[mode])
    for axis, (first, last) in enumerate(zip(before, after, strict=True)):
        if not (_adds(first) or _adds(last)):
            continue
        if not all(isinstance(each, int) for each in (x.shape[axis], first, last)):
            raise UnsupportedOpError(f"it pads axis {axis} by {mode}, which has a dynamic size: fix that size")
        places = np.pad(np.arange(x.shape[axis]), (first, last), mode=_NUMPY[mode])
        x = x.index_select(axis, torch.tensor(places.tolist(), device=x.device))
    return x


def center_crop_pad(x: Tensor, shape: Sequence[Any], *, axes: Sequence[int] | None = None) -> Tensor:
    """The middle, or with as many zeros on both sides; where that is odd, one more behind."""
    named = [axis % x.ndim for axis in (range(x.ndim) if axes is None else axes)]
    pads = [0] * (2 * len(named))
    for place, (axis, size) in enumerate(zip(named, shape, strict=True)):
        more = size - x.shape[axis]
        if not isinstance(more, int):
            raise UnsupportedOpError(f"it crops or pads axis {axis}, which has a dynamic size: fix that size")
        first = abs(more) // 2 * (1 if more > 0 else -1)
        pads[place], pads[len(named) + place] = first, more - first
    return pad(x, pads, axes=named)


PADDING: dict[str, Operator] = {
    "CenterCropPad": Operator(center_crop_pad, ("shape",)),
    "Pad": Operator(pad, ("pads", "axes"), numbers_if_known=("constant_value",)),
}
