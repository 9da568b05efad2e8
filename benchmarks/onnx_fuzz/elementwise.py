"""Operators by element: of one tensor, of several that are broadcast, comparisons, logic, activations, casts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.onnx_fuzz.drawing import Array, Draw, Fixed, Given, Node, Row, fixed


def of_one(since: int = 7, make: Callable[[Array], Array] | None = None, **choices: Sequence[Any]) -> Row:
    """Of one tensor of float32, which may be made otherwise, with some attributes."""

    def row(draw: Draw) -> Node:
        x = 3 * draw.normal(*draw.shape())
        return Node([x if make is None else make(x).astype(np.float32)], draw.some(**choices), (since, 24))

    return row


def broadcast(
    since: int = 7, make: Callable[[Array], Array] | None = None, dtypes: str = "f", **choices: Sequence[Any]
) -> Row:
    """Of two tensors, one of which is broadcast: f, of float32; i, of int32; b, of truths."""

    def row(draw: Draw) -> Node:
        kind, shape = draw.choice(dtypes), draw.shape()
        first, second = (_of_kind(draw, kind, each) for each in (shape, _narrower(draw, shape)))
        if make is not None:
            first, second = make(first), make(second)
        pair: list[Given] = [first, draw.either(second)]
        return Node(pair if draw.chance(0.8) else pair[::-1], draw.some(**choices), (since, 24))

    return row


def _of_kind(draw: Draw, kind: str, shape: Sequence[int]) -> Array:
    if kind == "f":
        return draw.normal(*shape)
    if kind == "b":
        return draw.normal(*shape) > 0
    return np.asarray(draw.integers(1, 6, *shape) * draw.choice([1, -1]), np.int32)


def _narrower(draw: Draw, shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(1 if draw.chance(0.3) else size for size in shape[draw.randint(0, len(shape)) :])


def clip(draw: Draw) -> Node:
    if draw.chance(0.2):
        return Node([4 * draw.normal(*draw.shape())], draw.some(min=[-1.0, 0.0, 2.0], max=[1.0, 6.0]), (7, 10))
    dtype = draw.choice([np.float32, np.float32, np.int32])
    x = (4 * draw.normal(*draw.shape())).astype(dtype)
    bounds = [np.array(draw.choice(each), dtype) if draw.chance(0.7) else None for each in ([-1, 0, 2], [1, 6])]
    as_constants = draw.chance(0.7)
    given = [None if bound is None else Fixed(bound) if as_constants else bound for bound in bounds]
    return Node([x, *given], {}, (12, 24))


def prelu(draw: Draw) -> Node:
    shape = draw.shape()
    slopes = [(1,), shape[-1:], shape[1:], (shape[1], *[1] * (len(shape) - 2)), shape]
    return Node([draw.normal(*shape), Fixed(draw.normal(*draw.choice(slopes)))])


def where(draw: Draw) -> Node:
    shape = draw.shape()
    condition, x, y = (draw.normal(*_narrower(draw, shape)) for _ in range(3))
    return Node([condition > 0, x, draw.either(y)], {}, (9, 24))


def power(draw: Draw) -> Node:
    shape = draw.shape()
    if draw.chance():
        return Node([draw.normal(*shape), fixed(draw.choice([1, 2, 3]), np.float32)])
    return Node([draw.positive(*shape), draw.either(draw.normal(*_narrower(draw, shape)))], {}, (13, 24))


def modulo(draw: Draw) -> Node:
    shape = draw.shape()
    if draw.chance():
        return Node([5 * draw.normal(*shape), draw.positive(*_narrower(draw, shape))], {"fmod": 1}, (10, 24))
    first, second = (_of_kind(draw, "i", each) for each in (shape, _narrower(draw, shape)))
    return Node([first, second], draw.some(fmod=[0, 1]), (10, 24))


def several(draw: Draw) -> Node:
    """Of one to three tensors."""
    shape = draw.shape()
    others = [draw.either(draw.normal(*_narrower(draw, shape))) for _ in range(draw.randint(0, 2))]
    return Node([draw.normal(*shape), *others], {}, (8, 24))


def cast(draw: Draw) -> Node:
    dtype = draw.choice([np.float32, np.int32, np.int64, np.bool_, np.uint8, np.float64, np.float16])
    x = 4 * draw.normal(2, 3)
    x = np.abs(x) if dtype is np.uint8 else x
    return Node([x.astype(dtype)], {"to": draw.choice([1, 6, 7, 9, 10, 11])}, (9, 24))


def infinite(draw: Draw) -> Node:
    x = draw.normal(2, 3, 4)
    x = np.where(x > 1, np.float32(np.inf), np.where(x < -1, np.float32(-np.inf), x))
    return Node([x], draw.some(detect_negative=[0, 1], detect_positive=[0, 1]), (10, 24))


ELEMENTWISE: dict[str, Row] = {
    **dict.fromkeys(("Abs", "Exp", "Floor", "Ceil", "Neg", "Relu", "Sigmoid", "Tanh", "Identity"), of_one()),
    **dict.fromkeys(("Sin", "Cos", "Atan"), of_one(7)),
    **dict.fromkeys(("Sinh", "Cosh", "Asinh", "Sign", "Erf"), of_one(9)),
    **dict.fromkeys(("Asin", "Acos"), of_one(7, lambda x: np.clip(x / 9, -0.9, 0.9))),
    **dict.fromkeys(("Log", "Sqrt", "Reciprocal"), of_one(7, lambda x: np.abs(x) + 0.2)),
    "Tan": of_one(7, lambda x: x / 4),
    "Atanh": of_one(9, lambda x: np.clip(x / 9, -0.9, 0.9)),
    "Acosh": of_one(9, lambda x: np.abs(x) + 1.1),
    "Round": of_one(11, lambda x: np.round(4 * x) / 2),
    "IsNaN": of_one(9, lambda x: np.where(x > 3, np.nan, x)),
    "IsInf": infinite,
    "LeakyRelu": of_one(alpha=[0.1, 0.0, 2.0]),
    "Elu": of_one(alpha=[0.5, 2.0, 0.0]),
    "Celu": of_one(12, alpha=[0.5, 2.0]),
    "Selu": of_one(alpha=[1.0, 2.0], gamma=[0.5, 3.0]),
    "HardSigmoid": of_one(alpha=[0.1, 1 / 6], beta=[0.4, 0.5]),
    "HardSwish": of_one(14),
    "Mish": of_one(18),
    "Softplus": of_one(7, lambda x: 8 * x),
    "Softsign": of_one(),
    "ThresholdedRelu": of_one(10, alpha=[0.0, 0.5, -1.0]),
    "Shrink": of_one(9, bias=[0.0, 0.5, 1.0], lambd=[0.5, 1.0, 0.0]),
    "Gelu": of_one(20, approximate=["none", "tanh"]),
    "Swish": of_one(24, alpha=[1.0, 0.5]),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), of_one(7, axis=[0, 1])),
    "PRelu": prelu,
    "Clip": clip,
    **dict.fromkeys(("Add", "Sub", "Mul"), broadcast(dtypes="fi")),
    "Div": broadcast(7, lambda x: np.where(np.abs(x) < 0.1, np.ones_like(x), x), "fi"),
    **dict.fromkeys(("Max", "Min", "Sum", "Mean"), several),
    "Pow": power,
    "Mod": modulo,
    **dict.fromkeys(("Less", "Greater"), broadcast(9)),
    **dict.fromkeys(("LessOrEqual", "GreaterOrEqual"), broadcast(12)),
    "Equal": broadcast(11, np.round, "fi"),
    **dict.fromkeys(("And", "Or", "Xor"), broadcast(dtypes="b")),
    "Not": lambda draw: Node([draw.normal(2, 3) > 0]),
    **dict.fromkeys(("BitwiseAnd", "BitwiseOr", "BitwiseXor"), broadcast(18, dtypes="i")),
    "BitwiseNot": lambda draw: Node([_of_kind(draw, "i", (2, 3))], {}, (18, 24)),
    "Where": where,
    "Cast": cast,
    "CastLike": lambda draw: Node([4 * draw.normal(2, 3), draw.integers(0, 3, 2)], {}, (15, 24)),
    "Dropout": lambda draw: Node([draw.normal(2, 3), fixed(0.3, np.float32)], {}, (12, 24), draw.randint(1, 2)),
}
"""Rows by operator."""
