"""Rows of operators that work by element, with ONNX's broadcasting, which is PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.values import Known, known


def unary(compute: Callable[[Tensor], Tensor], on_number: Callable[[Any], Any] | None = None) -> Operator:
    """Of one tensor; ``on_number`` of one number, which may be a symbol."""

    def on_tensor(x: Tensor) -> Tensor:
        return compute(x)

    if on_number is None:
        return Operator(on_tensor)

    def on_numbers(x: Known) -> Known:
        return by_element(on_number, x)

    return Operator(on_tensor, on_numbers=on_numbers)


def binary(compute: Callable[[Tensor, Tensor], Tensor], on_pair: Callable[[Any, Any], Any] | None = None) -> Operator:
    """Of two tensors; ``on_pair`` of two numbers."""

    def on_tensors(a: Tensor, b: Tensor) -> Tensor:
        return compute(a, b)

    if on_pair is None:
        return Operator(on_tensors)

    def on_numbers(a: Known, b: Known) -> Known:
        return by_element(on_pair, a, b)

    return Operator(on_tensors, on_numbers=on_numbers)


def many(compute: Callable[[Tensor, Tensor], Tensor], on_pair: Callable[[Any, Any], Any]) -> Operator:
    """Of any number of tensors, one after another."""

    def on_tensors(*tensors: Tensor) -> Tensor:
        return reduce(compute, tensors)

    def on_numbers(*arrays: Known) -> Known:
        return reduce(lambda a, b: by_element(on_pair, a, b), arrays)

    return Operator(on_tensors, on_numbers=on_numbers)


def by_element(compute: Callable[..., Any], *arrays: Known) -> Known:
    """A function of Python's numbers and of symbols, by element."""
    together = np.broadcast_arrays(*arrays)
    elements = zip(*(each.ravel().tolist() for each in together), strict=True)
    return known([compute(*each) for each in elements]).reshape(together[0].shape)
