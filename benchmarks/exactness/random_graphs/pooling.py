"""Poolings with windows of every geometry, adaptive and global ones, and interpolation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from benchmarks.exactness.random_graphs.description import Choose, Layer, Operator, Settings, Shape

MAXIMUM = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
AVERAGE = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
ADAPTIVE_MAXIMUM = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
ADAPTIVE_AVERAGE = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
MODES = (
    ("nearest", "nearest-exact", "linear"),
    ("nearest", "nearest-exact", "bilinear", "bicubic"),
    ("nearest", "nearest-exact", "trilinear"),
)
LARGEST = 300
"""Values with more elements are not enlarged."""


def _has_space(shapes: Sequence[Shape]) -> bool:
    return 2 <= len(shapes[0]) <= 4


def _draw_windows(choose: Choose, sizes: Sequence[int], dilations: Sequence[int]) -> dict[str, Any]:
    axes = [
        choose(
            [
                (kernel, stride, padding, dilation)
                for kernel in (2, 3, 1, 5)
                for stride in (2, 1, 3)
                for padding in range(kernel // 2 + 1)
                for dilation in dilations
                if kernel <= size and dilation * (kernel - 1) < size + 2 * padding
            ]
        )
        for size in sizes
    ]
    kernels, strides, paddings, dilated = zip(*axes, strict=True)
    return {"kernel": kernels, "stride": strides, "padding": paddings, "dilation": dilated}


def _draw_maximum(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {**_draw_windows(choose, shapes[0][1:], (1, 2)), "ceil": choose([False, True])}


def _build_maximum(shapes: Sequence[Shape], s: Settings) -> Layer:
    pool = MAXIMUM[len(shapes[0]) - 2]
    return lambda x: pool(x, s["kernel"], s["stride"], s["padding"], s["dilation"], s["ceil"])


def _draw_average(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    divisors = [None] if len(shapes[0]) == 2 else [None, None, 3]
    windows = _draw_windows(choose, shapes[0][1:], (1,))
    return {**windows, "ceil": choose([False, True]), "pads": choose([True, False]), "divisor": choose(divisors)}


def _build_average(shapes: Sequence[Shape], s: Settings) -> Layer:
    pool: Any = AVERAGE[len(shapes[0]) - 2]
    last = () if s["divisor"] is None else (s["divisor"],)
    return lambda x: pool(x, s["kernel"], s["stride"], s["padding"], s["ceil"], s["pads"], *last)


def _draw_adaptive(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"size": tuple(choose(range(1, min(size + 2, 6))) for size in shapes[0][1:])}


def _build_adaptive(pools: Sequence[Callable[..., Any]], shapes: Sequence[Shape], settings: Settings) -> Layer:
    pool = pools[len(shapes[0]) - 2]
    return lambda x: pool(x, settings["size"])


def _draw_interpolation(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    rank = len(shapes[0]) - 1
    mode = choose(MODES[rank - 1])
    settings: dict[str, Any] = {"mode": mode}
    if choose([True, False]):
        settings["size"] = tuple(choose(range(1, 9)) for _ in range(rank))
    else:
        settings["scale_factor"] = choose([2.0, 1.7, 0.5] if min(shapes[0][1:]) > 1 else [2.0, 1.7])
    if not mode.startswith("nearest"):
        settings["align_corners"] = choose([False, True])
    if mode in ("bilinear", "bicubic"):
        settings["antialias"] = choose([False, True]) and not settings["align_corners"]
    return settings


def _build_interpolation(shapes: Sequence[Shape], settings: Settings) -> Layer:
    def interpolate(x: Tensor) -> Tensor:
        return F.interpolate(x, **settings)

    return interpolate


def _is_small(shapes: Sequence[Shape]) -> bool:
    elements = 1
    for size in shapes[0]:
        elements *= size
    return elements <= LARGEST


OPERATORS = {
    "maximum pooling": Operator(_build_maximum, _has_space, _draw_maximum, selects=True),
    "average pooling": Operator(_build_average, _has_space, _draw_average),
    "adaptive maximum pooling": Operator(
        partial(_build_adaptive, ADAPTIVE_MAXIMUM), _has_space, _draw_adaptive, selects=True
    ),
    "adaptive average pooling": Operator(partial(_build_adaptive, ADAPTIVE_AVERAGE), _has_space, _draw_adaptive),
    "interpolation": Operator(
        _build_interpolation, lambda shapes: _has_space(shapes) and _is_small(shapes), _draw_interpolation
    ),
}
