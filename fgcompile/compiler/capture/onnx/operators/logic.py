"""Comparisons, logic, choices and bits, by element."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.elementwise import binary, by_element, unary
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.places import Hot
from fgcompile.compiler.capture.onnx.symbols import decided, negated
from fgcompile.compiler.capture.onnx.values import Known, as_tensor
from fgcompile.errors import UnsupportedOpError


def _comparison(compare: Callable[[Any, Any], Any]) -> Operator:
    return binary(compare, lambda a, b: decided(compare(a, b)))


def equal(a: Any, b: Any) -> Any:
    """Whether they are; of an index and the numbers from 0 on it is still known that they are these."""
    for index, other in ((a, b), (b, a)):
        if isinstance(index, Tensor) and not index.is_floating_point() and _counts(other):
            single = index.ndim >= other.ndim and isinstance(index.shape[-1], int) and index.shape[-1] == 1
            if single:
                return Hot(index, other.size)
    return torch.eq(as_tensor(a), as_tensor(b))


def _counts(value: Any) -> bool:
    """Whether these are the numbers 0, 1, … along the last axis."""
    known = isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.ndim > 0
    return known and value.shape[-1] == value.size > 1 and bool((value.ravel() == np.arange(value.size)).all())


def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(condition, x, y)


def where_of_numbers(condition: Known, x: Known, y: Known) -> Known:
    return by_element(lambda condition, x, y: x if _certain(condition) else y, condition, x, y)


def _certain(condition: Any) -> bool:
    if isinstance(condition, torch.SymBool):
        raise UnsupportedOpError("it chooses by a size that is dynamic: one graph needs that size fixed")
    return bool(condition)


def is_infinite(x: Tensor, *, detect_negative: int = 1, detect_positive: int = 1) -> Tensor:
    if detect_negative and detect_positive:
        return torch.isinf(x)
    if detect_positive:
        return torch.isposinf(x)
    return torch.isneginf(x) if detect_negative else torch.zeros_like(x, dtype=torch.bool)


def shift_bits(a: Tensor, b: Tensor, *, direction: str) -> Tensor:
    return torch.bitwise_left_shift(a, b) if direction == "LEFT" else torch.bitwise_right_shift(a, b)


LOGIC: dict[str, Operator] = {
    "And": binary(torch.logical_and, lambda a, b: a and b),
    "BitShift": Operator(shift_bits),
    "BitwiseAnd": binary(torch.bitwise_and),
    "BitwiseNot": unary(torch.bitwise_not),
    "BitwiseOr": binary(torch.bitwise_or),
    "BitwiseXor": binary(torch.bitwise_xor),
    "Equal": replace(
        _comparison(operator.eq), compute=equal, either=("a", "b"), note="with 0, 1, … and then cast, as an embedding"
    ),
    "Greater": _comparison(operator.gt),
    "GreaterOrEqual": _comparison(operator.ge),
    "IsInf": Operator(is_infinite),
    "IsNaN": unary(torch.isnan),
    "Less": _comparison(operator.lt),
    "LessOrEqual": _comparison(operator.le),
    "Not": unary(torch.logical_not, negated),
    "Or": binary(torch.logical_or, lambda a, b: a or b),
    "Where": Operator(where, on_numbers=where_of_numbers),
    "Xor": binary(torch.logical_xor, operator.ne),
}
