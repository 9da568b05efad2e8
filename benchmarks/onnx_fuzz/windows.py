"""Convolutions, poolings, padding and resizing."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.onnx_fuzz.drawing import Draw, Fixed, Given, Node, Row, fixed


def _padding(draw: Draw, attributes: dict[str, Any], most: list[int]) -> None:
    """Adds pads, or how they are found, or nothing."""
    kind = draw.choice(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "pads", "pads", "nothing"])
    if kind == "pads":
        attributes["pads"] = [draw.randint(0, each) for each in (*most, *most)]
    elif kind != "nothing":
        attributes["auto_pad"] = kind


def convolution(draw: Draw) -> Node:
    rank, group = draw.randint(1, 3), draw.choice([1, 1, 2])
    kernel = [draw.randint(1, 3) for _ in range(rank)]
    channels, made = (2 * draw.randint(1, 2) for _ in range(2))
    attributes: dict[str, Any] = {"group": group}
    attributes |= draw.some(strides=[[draw.randint(1, 3) for _ in kernel]], dilations=[[draw.randint(1, 2)] * rank])
    attributes |= draw.some(kernel_shape=[kernel])
    _padding(draw, attributes, [2] * rank)
    x = draw.normal(2, channels, *(draw.randint(5, 8) for _ in kernel))
    weights = draw.normal(made, channels // group, *kernel)
    return Node([x, Fixed(weights), Fixed(draw.normal(made)) if draw.chance() else None], attributes)


def transposed(draw: Draw) -> Node:
    rank, group = draw.randint(1, 3), draw.choice([1, 1, 2])
    kernel, channels, made = [draw.randint(1, 4) for _ in range(rank)], 2 * draw.randint(1, 2), draw.randint(1, 2)
    strides, sizes = ([draw.randint(low, high) for _ in kernel] for low, high in ((1, 3), (3, 6)))
    attributes: dict[str, Any] = {"group": group, "strides": strides}
    attributes |= draw.some(dilations=[[draw.randint(1, 2)] * rank])
    if draw.chance(0.2):
        attributes["output_shape"] = [(n - 1) * s + draw.randint(1, 4) for n, s in zip(sizes, strides, strict=True)]
    else:
        _padding(draw, attributes, [1] * rank)
        attributes |= draw.some(output_padding=[[draw.randint(0, each - 1) for each in strides]])
    weights = draw.normal(channels, made, *kernel)
    bias = Fixed(draw.normal(made * group)) if draw.chance() else None
    return Node([draw.normal(2, channels, *sizes), Fixed(weights), bias], attributes)


def _pooling(draw: Draw, rank: int) -> dict[str, Any]:
    kernel = [draw.randint(1, 3) for _ in range(rank)]
    attributes: dict[str, Any] = {"kernel_shape": kernel}
    attributes |= draw.some(strides=[[draw.randint(1, 3) for _ in kernel]])
    _padding(draw, attributes, [each - 1 for each in kernel])
    return attributes


def max_pooling(draw: Draw) -> Node:
    rank = draw.randint(1, 3)
    attributes = _pooling(draw, rank)
    since = 8
    if draw.chance(0.4):
        attributes, since = attributes | draw.some(ceil_mode=[0, 1], dilations=[[draw.randint(1, 2)] * rank]), 10
    x = draw.normal(2, 2, *(draw.randint(5, 8) for _ in range(rank)))
    return Node([x], attributes | draw.some(storage_order=[0, 1]), (since, 24), draw.choice([1, 1, 2]))


def average_pooling(draw: Draw) -> Node:
    rank = draw.randint(1, 3)
    attributes = _pooling(draw, rank) | draw.some(count_include_pad=[0, 1])
    since = 7
    if draw.chance(0.4):
        attributes, since = attributes | draw.some(ceil_mode=[0, 1]), 10
    if draw.chance(0.2):
        attributes, since = attributes | {"dilations": [draw.randint(1, 2)] * rank}, 19
    return Node([draw.normal(2, 2, *(draw.randint(5, 8) for _ in range(rank)))], attributes, (since, 24))


def norm_pooling(draw: Draw) -> Node:
    rank = draw.randint(1, 3)
    x = draw.normal(2, 2, *(draw.randint(5, 8) for _ in range(rank)))
    return Node([x], _pooling(draw, rank) | draw.some(p=[1, 2, 3]))


def over_all(draw: Draw) -> Node:
    return Node([draw.normal(2, 3, *(draw.randint(1, 5) for _ in range(draw.randint(1, 3))))])


def pad(draw: Draw) -> Node:
    opset = draw.choice([7, 11, 13, 18, 19, 21])
    mode = draw.choice(["constant", "reflect", "edge", *(["wrap"] if opset >= 19 else [])])
    rank = draw.randint(2, 4)
    x = draw.normal(2, *(draw.randint(3, 5) for _ in range(rank - 1)))
    axes = sorted(draw.sample(range(1, rank), draw.randint(1, rank - 1))) if opset >= 18 and draw.chance() else None
    low = -1 if draw.chance(0.3) else 0
    sides = [0 if axis == 0 else draw.randint(low, 2) for axis in 2 * (axes or list(range(rank)))]
    if opset < 11:
        return Node([x], {"mode": mode, "pads": sides} | draw.some(value=[0.0, 1.5]), (7, 10))
    value = fixed(draw.choice([1.5, 0.0]), np.float32) if draw.chance() else None
    given: list[Given] = [x, fixed(sides), value, None if axes is None else fixed(axes)]
    return Node(given, {"mode": mode}, (opset, 24))


SCALES = [0.4, 0.5, 0.6, 0.7, 0.9, 1, 1.3, 1.5, 2, 2.5, 3]


def resize(draw: Draw) -> Node:
    rank, opset = draw.randint(1, 2), draw.choice([11, 13, 18, 19])
    mode = draw.choice(["nearest", "linear", "cubic"] if rank == 2 else ["nearest", "linear"])
    positions = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
    positions += ["half_pixel_symmetric"] if opset >= 19 else ["tf_half_pixel_for_nn"] if opset < 13 else []
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": draw.choice(positions)}
    if mode == "nearest":
        attributes["nearest_mode"] = draw.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    elif mode == "cubic":
        attributes |= draw.some(cubic_coeff_a=[-0.5], exclude_outside=[1])
    if opset >= 18 and mode != "nearest":
        attributes |= draw.some(antialias=[0, 1])
    axes = list(range(2, 2 + rank)) if opset >= 18 and draw.chance(0.4) else None
    if axes:
        attributes["axes"] = axes
    if axes is None and draw.chance(0.15):
        return _cropped(draw, attributes, rank, opset)
    sizes = [draw.randint(3, 7) for _ in range(rank)]
    kept: list[Any] = [] if axes else [1, 1]
    nothing = None if opset >= 13 else fixed([], np.float32)
    x = draw.normal(2, 2, *sizes)
    if draw.chance():
        scales = fixed([*kept, *(draw.choice(SCALES) for _ in sizes)], np.float32)
        return Node([x, nothing, scales], attributes, (opset, 24 if opset >= 13 else 12))
    if axes:
        attributes |= draw.some(keep_aspect_ratio_policy=["stretch", "not_larger", "not_smaller"])
    wanted = fixed([*([] if axes else [2, 2]), *(draw.randint(1, 9) for _ in sizes)])
    return Node([x, nothing, nothing, wanted], attributes, (opset, 24 if opset >= 13 else 12))


def _cropped(draw: Draw, attributes: dict[str, Any], rank: int, opset: int) -> Node:
    """A part of the picture, and what is beyond it."""
    attributes = attributes | {"coordinate_transformation_mode": "tf_crop_and_resize"}
    attributes |= draw.some(extrapolation_value=[-1.0])
    starts, ends = ([draw.choice(each) for _ in range(rank)] for each in ([0, 0.1, 0.2], [1, 0.9, 0.7, 1.2]))
    part = fixed([0, 0, *starts, 1, 1, *ends], np.float32)
    wanted = fixed([2, 2, *(draw.randint(2, 9) for _ in range(rank))])
    x = draw.normal(2, 2, *(draw.randint(3, 7) for _ in range(rank)))
    nothing = None if opset >= 13 else fixed([], np.float32)
    return Node([x, part, nothing, wanted], attributes, (opset, 24 if opset >= 13 else 12))


def upsample(draw: Draw) -> Node:
    scales = [1.0, 1.0, draw.choice([1.0, 1.5, 2.0, 3.0]), draw.choice([1.0, 2.0, 2.5])]
    x, mode = draw.normal(2, 2, 4, 3), {"mode": draw.choice(["nearest", "linear"])}
    if draw.chance():
        return Node([x], mode | {"scales": scales}, (7, 8))
    return Node([x, fixed(scales, np.float32)], mode, (9, 9))


def grid_sample(draw: Draw) -> Node:
    older = draw.chance()
    attributes = draw.some(align_corners=[0, 1], padding_mode=["zeros", "border", "reflection"])
    attributes |= draw.some(mode=["bilinear", "nearest", "bicubic"] if older else ["linear", "nearest", "cubic"])
    return Node([draw.normal(2, 3, 4, 5), 0.8 * draw.normal(2, 3, 2, 2)], attributes, (16, 19) if older else (20, 24))


def roi_align(draw: Draw) -> Node:
    rois = np.array([[0.13, 0.21, 4.37, 4.41], [1.29, 2.17, 6.23, 7.31]], np.float32)
    attributes = {"output_height": 2, "output_width": 3, "sampling_ratio": draw.choice([1, 2])}
    attributes |= draw.some(
        spatial_scale=[1.0, 0.5], coordinate_transformation_mode=["half_pixel", "output_half_pixel"]
    )
    return Node([draw.normal(2, 3, 8, 8), draw.either(rois), fixed([0, 1])], attributes, (16, 24))


def deformable(draw: Draw) -> Node:
    groups = draw.choice([1, 2])
    offsets = 0.7 * draw.normal(2, groups * 8, 4, 5)
    mask = draw.positive(2, groups * 4, 4, 5) if draw.chance() else None
    given: list[Given] = [draw.normal(2, 4, 5, 6), Fixed(draw.normal(3, 4, 2, 2)), draw.either(offsets)]
    given += [Fixed(draw.normal(3)) if draw.chance() else None, mask]
    return Node(given, {"kernel_shape": [2, 2], "offset_group": groups, "pads": [0, 0, 0, 0]}, (19, 24))


def affine_grid(draw: Draw) -> Node:
    theta, sizes = (draw.normal(2, 2, 3), [2, 3, 4, 5]) if draw.chance() else (draw.normal(2, 3, 4), [2, 3, 2, 4, 5])
    return Node([theta, fixed(sizes)], draw.some(align_corners=[0, 1]), (20, 24))


WINDOWS: dict[str, Row] = {
    "Conv": convolution,
    "ConvTranspose": transposed,
    "MaxPool": max_pooling,
    "AveragePool": average_pooling,
    "LpPool": norm_pooling,
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), over_all),
    "GlobalLpPool": lambda draw: Node(over_all(draw).inputs, draw.some(p=[1, 2, 3])),
    "Pad": pad,
    "Resize": resize,
    "Upsample": upsample,
    "GridSample": grid_sample,
    "RoiAlign": roi_align,
    "AffineGrid": affine_grid,
    "DeformConv": deformable,
    "Col2Im": lambda draw: Node([draw.normal(2, 12, 9), fixed([4, 4]), fixed([2, 2])], {}, (18, 24)),
}
"""Rows by operator."""
