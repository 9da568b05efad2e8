"""Parts of an artifact in the forms that OpenVINO computes fast on processors, and right.

An artifact is laid out for ONNX Runtime. OpenVINO keeps features with their channels last, so that whatever joins axes
of space lays the features out anew, and has operators of its own that are slow where ONNX Runtime's are not. The
figures are those of ``docs/decisions/openvino.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import openvino  # type: ignore[import-untyped]  # ships no marker of its types
from openvino import Model, Node, Output
from openvino import opset13 as ops

from fgcompile.artifact.validation import Array

_BLOCK = 16
"""Fewest channels for which a transposed convolution is as fast as a convolution."""


def turn_square_weights(model: Model) -> None:
    """Makes a square matrix that is multiplied by turned a constant of its own.

    OpenVINO lays out a constant's numbers once for all products of it, and takes the turned one for the other where
    their sizes do not tell them apart: seen in 2026.4, with a layer's forward and backward.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Transpose" or not _is_constant(node.input_value(0)):
            continue
        matrix = node.input_value(0).get_node().data
        if matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] > 1:
            turned = openvino.op.Constant(np.ascontiguousarray(matrix.T))
            node.output(0).replace(turned.output(0))


def take_fast_forms(model: Model) -> None:
    """Replaces what is slow by what is not; the results are the same, but for the order in which sums are taken."""
    for node in model.get_ordered_ops():
        replace = _FORMS.get(node.get_type_name())
        found = None if replace is None else replace(node)
        if found is not None:
            node.output(0).replace(found.output(0))


def _sum_over_channels(node: Node) -> Node | None:
    """``w (1, 1, C) @ x.reshape(N, C, -1)`` as ``(w · x).sum(1)``, which leaves x as it is laid out."""
    weight, features = node.input_value(0), _before_joining(node.input_value(1))
    if features is None or not _is_constant(weight) or node.get_attributes()["transpose_b"]:
        return None
    rank, row = len(features.get_partial_shape()), weight.get_node().data
    if row.ndim != 3 or row.shape[:2] != (1, 1) or node.get_attributes()["transpose_a"]:
        return None
    by_channel = np.ascontiguousarray(row.reshape(1, -1, *[1] * (rank - 2)))
    weighted = features if (row == 1).all() else ops.multiply(features, ops.constant(by_channel)).output(0)
    total = ops.reduce_sum(weighted, _integers(1), True)
    return ops.reshape(total, _integers(-1, 1, node.output(0).get_partial_shape()[2].get_length()), False)


def _extreme_over_axes(node: Node) -> Node | None:
    """An extreme of ``x.reshape(N, C, -1)`` as that of x over its axes of space, and of channels."""
    features = _before_joining(node.input_value(0))
    if features is None or not _is_constant(node.input_value(1)):
        return None
    rank = len(features.get_partial_shape())
    axes = sorted(int(axis) % 3 for axis in node.input_value(1).get_node().data.reshape(-1))
    if axes not in ([2], [1, 2]):
        return None
    reduce, keeps = _EXTREMES[node.get_type_name()], bool(node.get_attributes()["keep_dims"])
    extreme = reduce(features, _integers(*axes, *range(3, rank)), keeps)
    return ops.squeeze(extreme, _integers(*range(3, rank))) if keeps else extreme


def _before_joining(value: Output) -> Output | None:
    """Features ``(N, C, ...)`` that a reshape joins to ``(N, C, S)``; None where it is not that, or sizes are open."""
    node = value.get_node()
    if node.get_type_name() != "Reshape":
        return None
    shapes = [each.get_partial_shape() for each in (node.input_value(0), value)]
    if any(shape.rank.is_dynamic for shape in shapes):
        return None
    before, after = map(list, shapes)
    if len(before) < 4 or len(after) != 3 or any(size.is_dynamic for size in before[1:] + after[1:]):
        return None
    channels, *space = (size.get_length() for size in before[1:])
    joined = [size.get_length() for size in after[1:]] == [channels, prod(space)]
    return node.input_value(0) if joined else None


def _interleave(node: Node) -> Node | None:
    """Values side by side on a last axis of one each: copied whole and turned, in place of one number at a time."""
    parts = [port.get_source_output().get_node() for port in node.inputs()]
    shape = node.output(0).get_partial_shape()
    if shape.rank.is_dynamic or not all(_adds_last_axis(part, len(shape)) for part in parts):
        return None
    rank = len(shape)
    if node.get_attributes()["axis"] % rank != rank - 1:
        return None
    whole = ops.concat([ops.unsqueeze(part.input_value(0), _integers(0)) for part in parts], 0)
    return ops.transpose(whole, _integers(*range(1, rank), 0))


def _adds_last_axis(node: Node, rank: int) -> bool:
    if node.get_type_name() != "Unsqueeze" or not _is_constant(node.input_value(1)):
        return False
    return [int(axis) % rank for axis in node.input_value(1).get_node().data.reshape(-1)] == [rank - 1]


def _subpixel(node: Node) -> Node | None:
    """A strided transposed convolution to few channels: one convolution for all phases of its output's positions.

    ``y[s·i + k − p] += w[k] x[i]`` reaches the position ``s·m + r`` through the taps ``k = k₀ + s·j`` alone, with
    ``k₀ = (r + p) mod s``, from ``x[m + (r + p − k)/s]``: the phases r are channels of one convolution, which
    DepthToSpace puts in their places.
    """
    weight, of = node.input_value(1), node.get_attributes()
    if len(node.inputs()) != 2 or not _is_constant(weight) or of["auto_pad"] not in ("explicit", "notset"):
        return None
    taps = weight.get_node().data
    steps, pads = list(of["strides"]), list(of["pads_begin"])
    if taps.ndim != 4 or taps.shape[1] >= _BLOCK or len(set(steps)) > 1 or steps[0] < 2 or set(of["dilations"]) != {1}:
        return None
    ends = zip(of["pads_end"], of["output_padding"], strict=True)
    axes = [
        _phases(size, steps[0], pad, extra - end)
        for size, pad, (end, extra) in zip(taps.shape[2:], pads, ends, strict=True)
    ]
    placed, lows, highs, surplus = map(list, zip(*axes, strict=True))
    kernel = _place_taps(taps, steps[0], placed)
    if min(lows + highs) < 0:
        return None
    phases = ops.convolution(node.input_value(0), ops.constant(kernel), [1, 1], lows, highs, [1, 1])
    image = ops.depth_to_space(phases, "blocks_first", steps[0])
    if not any(surplus):
        return image
    stops = [np.iinfo(np.int64).max if none == 0 else -none for none in surplus]
    return ops.slice(image, _integers(0, 0), _integers(*stops), _integers(1, 1), _integers(2, 3))


def _phases(size: int, step: int, pad: int, more: int) -> tuple[dict[tuple[int, int], int], int, int, int]:
    """Along one axis: the tap at each phase and offset, the padding on both sides, and what is to be cropped.

    Args:
        size: Of the kernel, K.
        step: The stride, s.
        pad: The padding in front, p.
        more: What the output has beyond ``s·(I − 1) + K − p``.
    """
    taps = {}
    for phase in range(step):
        first = (phase + pad) % step
        for number, tap in enumerate(range(first, size, step)):
            taps[phase, (phase + pad - first) // step - number] = tap
    offsets = [offset for _, offset in taps]
    low, wide = min(offsets), max(offsets) - min(offsets) + 1
    length = size - pad + more  # the output has s·(I − 1) + length positions
    blocks = -(-length // step)
    placed = {(phase, offset - low): tap for (phase, offset), tap in taps.items()}
    return placed, -low, blocks - 1 + wide - 1 + low, step * blocks - length


def _place_taps(weight: Array, step: int, axes: Sequence[dict[tuple[int, int], int]]) -> Array:
    """The weight ``(s · s · O, I, D, D')`` of all phases, of a transposed convolution's ``(I, O, K, K')``."""
    inputs, outputs = weight.shape[:2]
    wide = [max(offset for _, offset in axis) + 1 for axis in axes]
    placed = np.zeros((step, step, outputs, inputs, *wide), weight.dtype)
    for (row, down), top in axes[0].items():
        for (column, across), left in axes[1].items():
            placed[row, column, :, :, down, across] = weight[:, :, top, left].T
    return placed.reshape(step * step * outputs, inputs, *wide)


def _is_constant(value: Output) -> bool:
    return bool(value.get_node().get_type_name() == "Constant")


def _integers(*values: int) -> Node:
    return ops.constant(np.array(values, np.int64))


_EXTREMES: dict[str, Callable[..., Any]] = {"ReduceMin": ops.reduce_min, "ReduceMax": ops.reduce_max}
_FORMS: dict[str, Callable[[Node], Node | None]] = {
    "Concat": _interleave,
    "ConvolutionBackpropData": _subpixel,
    "MatMul": _sum_over_channels,
    "ReduceMax": _extreme_over_axes,
    "ReduceMin": _extreme_over_axes,
}
