"""Operators that work by element, with ONNX's broadcasting, which is PyTorch's."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.values import Known, known


def _binary(compute: Callable[[Tensor, Tensor], Tensor], on_numbers: Callable[[Any, Any], Any]) -> Operator:
    def on_tensors(a: Tensor, b: Tensor) -> Tensor:
        return compute(a, b)

    def by_element(a: Known, b: Known) -> Known:
        first, second = np.broadcast_arrays(a, b)
        pairs = zip(first.ravel().tolist(), second.ravel().tolist(), strict=True)
        return known([on_numbers(*pair) for pair in pairs]).reshape(first.shape)

    return Operator(on_tensors, on_numbers=by_element)


def _divide(a: Tensor, b: Tensor) -> Tensor:
    """Division; of integers it truncates, as in C."""
    if a.is_floating_point():
        return a / b
    return torch.div(a, b, rounding_mode="trunc")


def _divide_numbers(a: Any, b: Any) -> Any:
    # Sizes are not negative, for which flooring is truncating.
    integers = not any(isinstance(each, float | torch.SymFloat) for each in (a, b))
    return a // b if integers else a / b


def _unary(compute: Callable[[Tensor], Tensor], on_numbers: Callable[[Any], Any] | None = None) -> Operator:
    def on_tensor(x: Tensor) -> Tensor:
        return compute(x)

    if on_numbers is None:
        return Operator(on_tensor)

    def by_element(x: Known) -> Known:
        return known([on_numbers(each) for each in x.ravel().tolist()]).reshape(x.shape)

    return Operator(on_tensor, on_numbers=by_element)


ARITHMETIC: dict[str, Operator] = {
    "Add": _binary(operator.add, operator.add),
    "Sub": _binary(operator.sub, operator.sub),
    "Mul": _binary(operator.mul, operator.mul),
    "Div": _binary(_divide, _divide_numbers),
    "Neg": _unary(operator.neg, operator.neg),
    "Relu": _unary(torch.relu),
    "Identity": _unary(lambda x: x, lambda x: x),
}
