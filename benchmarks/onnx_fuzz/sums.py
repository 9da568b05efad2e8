"""Products, reductions, normalisations, spectra."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.onnx_fuzz.drawing import Array, Draw, Fixed, Given, Node, Row, fixed

EQUATIONS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("...ij,...jk", [(2, 3, 4), (2, 4, 5)]),
    ("...ij,jk->...ik", [(2, 3, 4), (4, 5)]),
    ("bii->bi", [(2, 3, 3)]),
    ("bij->bji", [(2, 3, 4)]),
    ("b i , b i -> b", [(2, 3), (2, 3)]),
    ("Bi,ij->Bj", [(2, 3), (3, 4)]),
    ("bij,bij->", [(2, 3, 4), (2, 3, 4)]),
    ("ba", [(2, 3)]),
    ("b...->b", [(2, 3, 4)]),
    ("bi,bj->bij", [(2, 3), (2, 4)]),
    ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
]


def einsum(draw: Draw) -> Node:
    equation, shapes = draw.choice(EQUATIONS)
    return Node([draw.normal(*shape) for shape in shapes], {"equation": equation}, (12, 24))


def matmul(draw: Draw) -> Node:
    pairs = [((3, 4), (4, 5)), ((4,), (4, 5)), ((2, 3, 4), (4,)), ((2, 3, 4), (4, 2)), ((2, 1, 3, 4), (5, 4, 2))]
    first, second = draw.choice([*pairs, ((4,), (4,)), ((3, 4), (2, 4, 5))])
    return Node([draw.normal(*first), draw.either(draw.normal(*second))])


def gemm(draw: Draw) -> Node:
    turned, wide = (draw.choice([0, 1]) for _ in range(2)), draw.choice([1, 5])
    first, second = turned
    sizes = draw.choice([None, (wide,), (1,), (3, 1), (3, wide), (1, wide), ()])
    a, b = draw.normal(*((4, 3) if first else (3, 4))), draw.normal(*((wide, 4) if second else (4, wide)))
    c = None if sizes is None else draw.either(draw.normal(*sizes))
    attributes = {"transA": first, "transB": second} | draw.some(alpha=[1.0, 0.5], beta=[1.0, 0.5, 0.0])
    return Node([a, draw.either(b), c], attributes, (11, 24))


def reduction(name: str, draw: Draw) -> Node:
    shape, opset = draw.shape(), draw.choice([7, 11, 13, 18, 20])
    axes = sorted(draw.sample(range(len(shape)), draw.randint(1, len(shape)))) if draw.chance(0.8) else None
    if axes and opset >= 11:
        axes = [axis - len(shape) if draw.chance(0.3) else axis for axis in axes]
    x = draw.positive(*shape) if name == "ReduceLogSum" else draw.normal(*shape)
    attributes: dict[str, Any] = draw.some(keepdims=[0, 1])
    if opset < (13 if name == "ReduceSum" else 18):
        last = 12 if name == "ReduceSum" else 17
        return Node([x], attributes | ({} if axes is None else {"axes": axes}), (opset, last))
    attributes |= draw.some(noop_with_empty_axes=[0, 1]) if axes is None else {}
    return Node([x, None if axes is None else fixed(axes)], attributes, (opset, 24))


def arg_reduction(draw: Draw) -> Node:
    shape = draw.shape()
    x = draw.normal(*shape)
    x = np.round(x) if draw.chance() else x
    attributes = {"axis": draw.randint(-len(shape), len(shape) - 1)}
    return Node([x], attributes | draw.some(keepdims=[0, 1], select_last_index=[0, 1]), (12, 24))


def batch_normalization(draw: Draw) -> Node:
    x = draw.normal(2, 3, *[4] * draw.randint(0, 3))
    weights = [Fixed(draw.normal(3)) for _ in range(3)]
    return Node([x, *weights, Fixed(draw.positive(3))], draw.some(epsilon=[1e-5, 0.1]), draw.choice([(7, 8), (9, 24)]))


def instance_normalization(draw: Draw) -> Node:
    given: list[Given] = [draw.normal(2, 3, *[4] * draw.randint(1, 3)), Fixed(draw.normal(3)), Fixed(draw.normal(3))]
    return Node(given, draw.some(epsilon=[1e-5, 0.1]))


def layer_normalization(draw: Draw) -> Node:
    shape, axis = (2, 3, 4, 5), draw.choice([-1, -2, 1, 2, 3])
    scale, bias = (draw.normal(*shape[axis:]) for _ in range(2))
    given: list[Given] = [draw.normal(*shape), Fixed(scale), Fixed(bias) if draw.chance() else None]
    return Node(given, {"axis": axis} | draw.some(epsilon=[1e-5, 0.1]), (17, 24), draw.choice([1, 1, 3]))


def group_normalization(draw: Draw) -> Node:
    groups, old = draw.choice([1, 2, 4]), draw.chance()
    count = groups if old else 4
    given: list[Given] = [draw.normal(2, 4, 3, *([2] if draw.chance() else []))]
    given += [Fixed(draw.normal(count)), Fixed(draw.normal(count))]
    return Node(given, {"num_groups": groups} | draw.some(epsilon=[1e-5, 0.1]), (18, 20) if old else (21, 24))


def rms_normalization(draw: Draw) -> Node:
    shape, axis = (2, 3, 4, 5), draw.choice([-1, -2, 1, 3])
    return Node([draw.normal(*shape), Fixed(draw.normal(*shape[axis:]))], {"axis": axis}, (23, 24))


def local_response(draw: Draw) -> Node:
    attributes = {"size": draw.choice([1, 2, 3, 5])} | draw.some(alpha=[0.1, 1.0], beta=[0.5], bias=[1.0, 2.0])
    return Node([draw.normal(2, draw.choice([1, 3, 5]), 3, 4)], attributes)


def mean_variance(draw: Draw) -> Node:
    return Node([draw.normal(2, 3, 4, 5)], draw.some(axes=[[0, 2, 3], [1], [2, 3]]), (9, 24))


def fourier(draw: Draw) -> Node:
    old, length, axis, one = draw.chance(), draw.randint(3, 6), draw.choice([1, 2]), draw.choice([0, 1])
    inverse = 0 if one else draw.choice([0, 1])
    x = draw.normal(2, length, 4, 1 if one else 2)
    attributes = {"onesided": one, "inverse": inverse}
    wanted = fixed(draw.randint(3, 7)) if draw.chance(0.4) else None
    if old:
        return Node([x, wanted], attributes | {"axis": axis}, (17, 19))
    return Node([x, wanted, fixed(axis)], attributes, (20, 24))


def short_time(draw: Draw) -> Node:
    one, length = draw.choice([0, 1]), draw.choice([4, 5])
    window = Fixed(draw.positive(length)) if draw.chance() else None
    given: list[Given] = [draw.normal(2, 16, 1), fixed(draw.choice([2, 3])), window]
    return Node([*given, None if window else fixed(length)], {"onesided": one}, (17, 24))


def determinant(draw: Draw) -> Node:
    return Node([_regular(draw.normal(2, 3, 3))], {}, (11, 24))


def _regular(x: Array) -> Array:
    return x + 2 * np.eye(3, dtype=np.float32)


_REDUCED = ("Max", "Min", "Sum", "Mean", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")

SUMS: dict[str, Row] = {
    "Einsum": einsum,
    "MatMul": matmul,
    "Gemm": gemm,
    "Det": determinant,
    **{f"Reduce{name}": partial(reduction, f"Reduce{name}") for name in _REDUCED},
    **dict.fromkeys(("ArgMax", "ArgMin"), arg_reduction),
    "BatchNormalization": batch_normalization,
    "InstanceNormalization": instance_normalization,
    "LayerNormalization": layer_normalization,
    "GroupNormalization": group_normalization,
    "RMSNormalization": rms_normalization,
    "LRN": local_response,
    "LpNormalization": lambda draw: Node([draw.normal(*draw.shape())], draw.some(axis=[-1, 0, 1], p=[1, 2])),
    "MeanVarianceNormalization": mean_variance,
    "DFT": fourier,
    "STFT": short_time,
}
"""Rows by operator."""
