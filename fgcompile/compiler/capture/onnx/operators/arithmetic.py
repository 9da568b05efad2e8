"""Arithmetic by element."""

from __future__ import annotations

import math
import operator
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.elementwise import binary, by_element, many, unary
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.symbols import larger, real, smaller, square_root
from fgcompile.compiler.capture.onnx.values import Known


def divide(a: Tensor, b: Tensor) -> Tensor:
    """Division; of integers it truncates, as in C."""
    if a.is_floating_point():
        return a / b
    return torch.div(a, b, rounding_mode="trunc")


def divide_numbers(a: Any, b: Any) -> Any:
    if any(isinstance(each, float | torch.SymFloat) for each in (a, b)):
        return a / b
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    # Sizes are not negative, for which flooring is truncating.
    return a // b


def power(x: Tensor, y: Tensor | float) -> Tensor:
    """``x^y`` in the dtype of ``x``."""
    return torch.pow(x, y).to(x.dtype)


def power_of_numbers(x: Known, y: Known) -> Known:
    return by_element(operator.pow, x, y)


def modulo(a: Tensor, b: Tensor, *, fmod: int = 0) -> Tensor:
    """What division leaves: of the divisor's sign, or with ``fmod`` of the dividend's."""
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


def modulo_of_numbers(a: Known, b: Known, *, fmod: int = 0) -> Known:
    return by_element(math.fmod if fmod else operator.mod, a, b)


def clip(x: Tensor, min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor:
    """``min(max(x, min), max)``. Between numbers it is what the layer that exporters write so is: relu6 or hardtanh."""
    if min is None and max is None:
        return x
    numbers = isinstance(min, int | float) and isinstance(max, int | float)
    if numbers and x.is_floating_point() and min <= max:  # type: ignore[operator]
        return functional.relu6(x) if (min, max) == (0, 6) else functional.hardtanh(x, min, max)  # type: ignore[arg-type]
    for bound, nearest in ((min, torch.maximum), (max, torch.minimum)):
        if isinstance(bound, Tensor):
            x = nearest(x, bound)
        elif bound is not None:
            x = x.clamp(min=bound) if nearest is torch.maximum else x.clamp(max=bound)
    return x


def clip_numbers(x: Known, min: Known | None = None, max: Known | None = None) -> Known:
    x = x if min is None else by_element(larger, x, min)
    return x if max is None else by_element(smaller, x, max)


def mean(*tensors: Tensor) -> Tensor:
    return reduce(operator.add, tensors) / len(tensors)


def _floor(x: Any) -> Any:
    return real(math.floor(x))


def _ceil(x: Any) -> Any:
    return real(math.ceil(x))


def _round(x: Any) -> Any:
    """Halves go to the even number."""
    return real(round(x))


def _sign(x: Any) -> Any:
    return larger(smaller(x, 1), -1) if isinstance(x, int | torch.SymInt) else math.copysign(x != 0, x)


def _magnitude(x: Any) -> Any:
    return larger(x, -x)


ARITHMETIC: dict[str, Operator] = {
    "Abs": unary(torch.abs, _magnitude),
    "Add": binary(operator.add, operator.add),
    "Ceil": unary(torch.ceil, _ceil),
    "Clip": Operator(clip, on_numbers=clip_numbers, numbers_if_known=("min", "max")),
    "Div": binary(divide, divide_numbers),
    "Floor": unary(torch.floor, _floor),
    "Identity": Operator(lambda x: x, on_numbers=lambda x: x),
    "Max": many(torch.maximum, larger),
    "Mean": Operator(mean),
    "Min": many(torch.minimum, smaller),
    "Mod": Operator(modulo, on_numbers=modulo_of_numbers),
    "Mul": binary(operator.mul, operator.mul),
    "Neg": unary(operator.neg, operator.neg),
    "Pow": Operator(power, on_numbers=power_of_numbers, numbers_if_known=("y",)),
    "Reciprocal": unary(torch.reciprocal, lambda x: 1 / x),
    "Round": unary(torch.round, _round),
    "Sign": unary(torch.sign, _sign),
    "Sqrt": unary(torch.sqrt, square_root),
    "Sub": binary(operator.sub, operator.sub),
    "Sum": many(operator.add, operator.add),
}
