"""Convolutions in one to three dimensions: plain, grouped, depthwise, transposed; every padding mode."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from benchmarks.exactness.random_graphs.description import Choose, Layer, Operator, Settings, Shape

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LARGEST = 12
"""No axis grows beyond this."""


def _has_space(shapes: Sequence[Shape]) -> bool:
    return 2 <= len(shapes[0]) <= 4


def _draw_channels(choose: Choose, channels: int) -> Settings:
    groups = choose([g for g in range(1, channels + 1) if channels % g == 0])
    return {
        "groups": groups,
        "out": groups * choose([1, 2] if groups > 2 else [2, 3, 4]),
        "bias": choose([True, False]),
    }


def _draw_convolution(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    channels, *sizes = shapes[0]
    mode = choose(["zeros", "zeros", "zeros", "reflect", "replicate", "circular"])
    axes = []
    for size in sizes:
        largest_padding = min(2, size - 1) if mode != "zeros" else 2
        axes.append(
            choose(
                [
                    (kernel, stride, padding, dilation)
                    for kernel in (3, 1, 2, 5)
                    for stride in (1, 2, 3)
                    for padding in range(largest_padding + 1)
                    for dilation in (1, 2)
                    if dilation * (kernel - 1) < size + 2 * padding
                ]
            )
        )
    kernels, strides, paddings, dilations = zip(*axes, strict=True)
    geometry = {"kernel": kernels, "stride": strides, "padding": paddings, "dilation": dilations, "mode": mode}
    return {**_draw_channels(choose, channels), **geometry}


def _build_convolution(shapes: Sequence[Shape], settings: Settings) -> Layer:
    channels, *sizes = shapes[0]
    return CONVOLUTIONS[len(sizes) - 1](
        channels,
        settings["out"],
        settings["kernel"],
        settings["stride"],
        settings["padding"],
        settings["dilation"],
        settings["groups"],
        settings["bias"],
        settings["mode"],
    )


def _draw_transposed(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    channels, *sizes = shapes[0]
    axes = [
        choose(
            [
                (kernel, stride, padding, dilation, extra)
                for kernel in (2, 1, 3, 4)
                for stride in (1, 2, 3)
                for padding in (0, 1)
                for dilation in (1, 2)
                for extra in range(stride)
                if 0 < (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1 <= LARGEST
            ]
        )
        for size in sizes
    ]
    kernels, strides, paddings, dilations, extras = zip(*axes, strict=True)
    geometry = {"kernel": kernels, "stride": strides, "padding": paddings, "dilation": dilations, "extra": extras}
    return {**_draw_channels(choose, channels), **geometry}


def _build_transposed(shapes: Sequence[Shape], settings: Settings) -> Layer:
    channels, *sizes = shapes[0]
    return TRANSPOSED[len(sizes) - 1](
        channels,
        settings["out"],
        settings["kernel"],
        settings["stride"],
        settings["padding"],
        settings["extra"],
        settings["groups"],
        settings["bias"],
        settings["dilation"],
    )


OPERATORS = {
    "convolution": Operator(_build_convolution, _has_space, _draw_convolution),
    "transposed convolution": Operator(
        _build_transposed, lambda shapes: _has_space(shapes) and max(shapes[0][1:]) <= LARGEST, _draw_transposed
    ),
}
