"""Comparisons, logic, choices and bits, by element."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.elementwise import binary, by_element, unary
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.symbols import decided, negated
from fgcompile.compiler.capture.onnx.values import Known
from fgcompile.errors import UnsupportedOpError


def _comparison(compare: Callable[[Any, Any], Any]) -> Operator:
    return binary(compare, lambda a, b: decided(compare(a, b)))


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
    "Equal": _comparison(operator.eq),
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
