"""Operators that move, cut, join, repeat and look up."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.onnx_fuzz.drawing import Draw, Fixed, Given, Node, Row, fixed

FAR = [2**31 - 1, 2**63 - 1, -(2**63) + 1]
"""Ends that exporters write for all of an axis."""


def slice_(draw: Draw) -> Node:
    rank = draw.randint(2, 4)
    x = draw.normal(2, *(draw.randint(1, 6) for _ in range(rank - 1)))
    axes = draw.sample(range(1, rank), draw.randint(1, rank - 1))
    starts = [draw.randint(-7, 7) for _ in axes]
    ends = [draw.choice([draw.randint(-8, 8), *FAR]) for _ in axes]
    if draw.chance(0.2):
        return Node([x], {"starts": starts, "ends": [min(max(e, -99), 99) for e in ends], "axes": axes}, (7, 9))
    steps = fixed([draw.choice([1, 1, 2, -1, -2, -3]) for _ in axes]) if draw.chance(0.7) else None
    signed = [axis if draw.chance(0.7) else axis - rank for axis in axes]
    return Node([x, fixed(starts), fixed(ends), fixed(signed), steps], {}, (10, 24))


def split(draw: Draw) -> Node:
    axis, opset = draw.choice([1, -1, 2, -2]), draw.choice([7, 13, 18])
    x = draw.normal(2, 6, 5)
    size = x.shape[axis]
    first = draw.randint(1, size - 1)
    parts = [first, size - first]
    if opset == 7:
        return Node([x], {"axis": axis % 3, "split": parts}, (7, 12), 2)
    if opset == 18 and draw.chance():
        return Node([x], {"axis": axis, "num_outputs": 2}, (18, 24), 2)
    return Node([x, fixed(parts)], {"axis": axis}, (opset, 17 if opset == 13 else 24), 2)


def concat(draw: Draw) -> Node:
    given = [draw.either(draw.normal(2, 3, 4)) for _ in range(draw.randint(1, 3))]
    return Node([draw.normal(2, 3, 4), *given], {"axis": draw.choice([1, 2, -1, -2, 0])}, (11, 24))


def squeeze(draw: Draw) -> Node:
    x, new = draw.normal(2, 1, 3, 1), draw.chance()
    axes = draw.choice([[1], [1, 3], [3], *([[-1], [-3, -1]] if new else [])])
    return Node([x, fixed(axes)], {}, (13, 24)) if new else Node([x], {"axes": axes}, (7, 12))


def unsqueeze(draw: Draw) -> Node:
    x, new = draw.normal(2, 3), draw.chance()
    axes = draw.choice([[1], [1, 3], [0, 2], *([[-1], [-3, -1], [-1, 1]] if new else [])])
    return Node([x, fixed(axes)], {}, (13, 24)) if new else Node([x], {"axes": axes}, (7, 12))


def reshape(draw: Draw) -> Node:
    shapes = [[0, -1], [0, 0, 8], [-1], [0, 3, -1, 2], [2, 0, 0, -1], [48], [0, 0, 2, 2, 2], [1, -1, 1], [-1, 0, 8]]
    return Node([draw.normal(2, 3, 4, 2), fixed(draw.choice(shapes))], draw.some(allowzero=[0]), (14, 24))


def expand(draw: Draw) -> Node:
    shape = draw.shape()
    sizes = [draw.choice([1, size]) if size > 1 else draw.randint(1, 3) for size in shape]
    sizes = [draw.randint(1, 2), *sizes] if draw.chance(0.3) else sizes[draw.randint(0, len(sizes) - 1) :]
    return Node([draw.normal(*shape), fixed(sizes)], {}, (8, 24))


def tile(draw: Draw) -> Node:
    shape = draw.shape()
    return Node([draw.normal(*shape), fixed([draw.randint(1, 3) for _ in shape])])


def transpose(draw: Draw) -> Node:
    shape = draw.shape()
    order = draw.sample(range(len(shape)), len(shape))
    return Node([draw.normal(*shape)], draw.some(perm=[order]))


def flatten(draw: Draw) -> Node:
    shape = draw.shape()
    return Node([draw.normal(*shape)], draw.some(axis=list(range(-len(shape), len(shape) + 1))), (11, 24))


def gather(draw: Draw) -> Node:
    shape = draw.shape()
    axis = draw.axis(len(shape))
    indices = draw.integers(-shape[axis], shape[axis], *draw.choice([(), (1,), (3,), (2, 2)]))
    return Node(
        [draw.normal(*shape), draw.either(indices.astype(draw.choice([np.int32, np.int64])))], {"axis": axis}, (11, 24)
    )


def gather_elements(draw: Draw) -> Node:
    shape = draw.shape()
    axis = draw.axis(len(shape))
    sizes = [draw.randint(1, size) for size in shape]
    sizes[axis] = draw.randint(1, 4)
    indices = draw.integers(-shape[axis], shape[axis], *sizes)
    return Node([draw.normal(*shape), draw.either(indices)], {"axis": axis}, (11, 24))


def gather_nd(draw: Draw) -> Node:
    shape, batch = draw.shape(3, 4), draw.choice([0, 0, 1])
    depth = draw.randint(1, len(shape) - batch)
    columns = [draw.integers(-size, size, *shape[:batch], 3) for size in shape[batch : batch + depth]]
    return Node([draw.normal(*shape), draw.either(np.stack(columns, -1))], {"batch_dims": batch}, (12, 24))


def _reduction(draw: Draw) -> tuple[dict[str, str], int]:
    """How written values are joined with those there, and since when there is that."""
    kind = draw.choice(["none", "add", "mul", "max", "min"])
    return ({} if kind == "none" else {"reduction": kind}), {"none": 11, "add": 16, "mul": 16}.get(kind, 18)


def scatter_elements(draw: Draw) -> Node:
    shape, (attributes, since) = draw.shape(), _reduction(draw)
    axis, sizes = draw.axis(len(shape)), [draw.randint(1, size) for size in shape]
    places = np.array(draw.sample(range(shape[axis]), sizes[axis]), np.int64)
    column = [1] * len(shape)
    column[axis] = -1
    indices = np.zeros(sizes, np.int64) + places.reshape(column) - (shape[axis] if draw.chance(0.3) else 0)
    given: list[Given] = [draw.normal(*shape), Fixed(indices), draw.either(draw.normal(*sizes))]
    return Node(given, {"axis": axis, **attributes}, (since, 24))


def scatter_nd(draw: Draw) -> Node:
    shape, (attributes, since) = draw.shape(), _reduction(draw)
    depth = draw.randint(1, len(shape))
    count = int(np.prod(shape[:depth]))
    flat = np.array(draw.sample(range(count), draw.randint(1, min(3, count))))
    indices = np.stack(np.unravel_index(flat, shape[:depth]), -1).astype(np.int64)
    indices = indices - np.array(shape[:depth]) if draw.chance(0.3) else indices
    updates = draw.normal(len(flat), *shape[depth:])
    return Node([draw.normal(*shape), Fixed(indices), draw.either(updates)], attributes, (since, 24))


def one_hot(draw: Draw) -> Node:
    shape, depth = draw.shape(2, 2), draw.randint(2, 4)
    ids = draw.integers(-depth - 1, depth + 1, *shape).astype(draw.choice([np.int64, np.int32]))
    values = fixed([draw.choice([0, -1]), draw.choice([1, 5])], draw.choice([np.float32, np.int64]))
    count = fixed(depth) if draw.chance() else fixed([depth])
    return Node([ids, count, values], {"axis": draw.choice([-1, 0, 1, 2, -2, -3])}, (11, 24))


def top_k(draw: Draw) -> Node:
    shape = draw.shape()
    axis = draw.randint(-len(shape), len(shape) - 1)
    count, x = draw.randint(1, shape[axis]), draw.normal(*shape)
    if draw.chance(0.2):
        return Node([x], {"k": count, "axis": axis % len(shape)}, (7, 9), 2)
    return Node([x, fixed([count])], {"axis": axis} | draw.some(largest=[0, 1]), (11, 24), 2)


def cumulative(draw: Draw) -> Node:
    shape = draw.shape()
    axis = draw.randint(-len(shape), len(shape) - 1)
    return Node([draw.normal(*shape), fixed(axis)], draw.some(exclusive=[0, 1], reverse=[0, 1]), (11, 24))


def compress(draw: Draw) -> Node:
    axis: Any = draw.choice([None, 0, 1, -1])
    size = 24 if axis is None else (2, 3, 4)[axis]
    kept = draw.normal(draw.randint(1, size)) > 0
    kept[0] = True
    return Node([draw.normal(2, 3, 4), Fixed(kept)], {} if axis is None else {"axis": axis}, (9, 24))


def reverse_sequence(draw: Draw) -> Node:
    batch = draw.choice([0, 1])
    x = draw.normal(2, 3, 2) if batch == 0 else draw.normal(3, 2, 2)
    return Node([x, draw.either(draw.integers(1, 4, 2))], {"batch_axis": batch, "time_axis": 1 - batch}, (10, 24))


def eye_like(draw: Draw) -> Node:
    return Node([draw.normal(3, 4)], draw.some(k=[-1, 0, 2], dtype=[1, 7, 6]), (9, 24))


def depth_to_space(draw: Draw) -> Node:
    return Node([draw.normal(2, 12, 2, 3)], {"blocksize": 2} | draw.some(mode=["DCR", "CRD"]), (11, 24))


def range_(draw: Draw) -> Node:
    numbers = ([0, 0.5, 3], [2.5, 7], [0.3, 0.7, 1])
    return Node([fixed(draw.choice(each), np.float32) for each in numbers], {}, (11, 24))


def center_crop_pad(draw: Draw) -> Node:
    sizes = [draw.randint(2, 7) for _ in range(2)]
    return Node([draw.normal(2, 3, 5, 4), fixed(sizes)], {"axes": draw.choice([[2, 3], [-2, -1], [1, 3]])}, (18, 24))


def scatter(draw: Draw) -> Node:
    """The older name of ScatterElements."""
    places = Fixed(np.array([draw.sample(range(4), 2) for _ in range(3)], np.int64))
    return Node([draw.normal(3, 4), places, draw.either(draw.normal(3, 2))], {"axis": 1}, (9, 10))


SHAPES: dict[str, Row] = {
    "CenterCropPad": center_crop_pad,
    "Scatter": scatter,
    "Slice": slice_,
    "Split": split,
    "Concat": concat,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Reshape": reshape,
    "Expand": expand,
    "Tile": tile,
    "Transpose": transpose,
    "Flatten": flatten,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd,
    "OneHot": one_hot,
    "TopK": top_k,
    "CumSum": cumulative,
    "Compress": compress,
    "ReverseSequence": reverse_sequence,
    "EyeLike": eye_like,
    "Range": range_,
    "Trilu": lambda draw: Node([draw.normal(2, 3, 4), fixed(draw.randint(-2, 2))], draw.some(upper=[0, 1]), (14, 24)),
    "DepthToSpace": lambda draw: Node(
        [draw.normal(2, 12, 2, 3)], {"blocksize": 2} | draw.some(mode=["DCR", "CRD"]), (11, 24)
    ),
    "SpaceToDepth": lambda draw: Node([draw.normal(2, 3, 4, 6)], {"blocksize": 2}),
    "Shape": lambda draw: Node([draw.normal(2, 3, 4)], draw.some(start=[0, 1, -1, -9], end=[1, -1, 9, 0]), (15, 24)),
    "Size": lambda draw: Node([draw.normal(2, 3)]),
    "NonZero": lambda draw: Node([Fixed(np.round(draw.normal(3, 4)))], {}, (9, 24)),
}
"""Rows by operator."""
