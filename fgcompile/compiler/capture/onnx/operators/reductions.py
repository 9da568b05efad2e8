"""Reductions over axes, of tensors and of known numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.symbols import larger, smaller
from fgcompile.compiler.capture.onnx.values import Known, known


def _reduction(
    compute: Callable[[Tensor, tuple[int, ...], bool], Tensor],
    on_pair: Callable[[Any, Any], Any] | None = None,
    alone: Callable[[Tensor], Tensor] = lambda x: x,
) -> Operator:
    """Over all axes where none are named, unless that means none, ``noop_with_empty_axes``: then each element
    ``alone``."""

    def on_tensor(
        x: Tensor, axes: Sequence[int] | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Tensor:
        if not axes and noop_with_empty_axes:
            return alone(x)
        return compute(x, tuple(axes or range(x.ndim)), bool(keepdims))

    if on_pair is None:
        return Operator(on_tensor, ("axes",))

    def on_numbers(x: Known, axes: Known | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Known:
        named = [] if axes is None else axes.tolist()
        if not named and noop_with_empty_axes:
            return x
        return _reduced(x, [axis % x.ndim for axis in named or range(x.ndim)], bool(keepdims), on_pair)

    return Operator(on_tensor, ("axes",), on_numbers)


def _reduced(x: Known, axes: Sequence[int], keepdims: bool, on_pair: Callable[[Any, Any], Any]) -> Known:
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    rows = np.transpose(x, [*kept, *axes]).reshape(*[x.shape[axis] for axis in kept], -1)
    shape = [1 if axis in axes else x.shape[axis] for axis in range(x.ndim) if keepdims or axis in kept]
    return known([reduce(on_pair, row.tolist()) for row in rows.reshape(-1, rows.shape[-1])]).reshape(shape)


def product(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    dtype = x.dtype
    for axis in axes:
        x = x.prod(axis, keepdim=True, dtype=dtype)
    return x if keepdims else x.squeeze(axes)


def mean(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    if x.is_floating_point():
        return x.mean(axes, keepdim=keepdims)
    count = product(torch.tensor([x.shape[axis] for axis in axes]), (0,), False)
    return torch.div(x.sum(axes, keepdim=keepdims), count, rounding_mode="trunc").to(x.dtype)


def total(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    return x.sum(axes, keepdim=keepdims, dtype=x.dtype)


def norm(order: int) -> Callable[[Tensor, tuple[int, ...], bool], Tensor]:
    def compute(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
        values = x if x.is_floating_point() else x.to(torch.float64)
        result: Tensor = torch.linalg.vector_norm(values, order, axes, keepdims)
        return result.to(x.dtype)

    return compute


def _places(x: Tensor, axis: int, keepdims: int, last: int, largest: bool) -> Tensor:
    # Of several that are as large PyTorch takes the first: the last is the first from behind.
    turned = x.flip(axis) if last else x
    index = turned.argmax(axis, keepdim=bool(keepdims)) if largest else turned.argmin(axis, keepdim=bool(keepdims))
    return x.shape[axis] - 1 - index if last else index


def arg_max(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    return _places(x, axis, keepdims, select_last_index, True)


def arg_min(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
    return _places(x, axis, keepdims, select_last_index, False)


REDUCTIONS: dict[str, Operator] = {
    "ArgMax": Operator(arg_max),
    "ArgMin": Operator(arg_min),
    "ReduceL1": _reduction(norm(1), alone=torch.abs),
    "ReduceL2": _reduction(norm(2), alone=torch.abs),
    "ReduceLogSum": _reduction(lambda x, axes, keepdims: total(x, axes, keepdims).log(), alone=torch.log),
    "ReduceLogSumExp": _reduction(lambda x, axes, keepdims: torch.logsumexp(x, axes, keepdims)),
    "ReduceMax": _reduction(lambda x, axes, keepdims: x.amax(axes, keepdims), larger),
    "ReduceMean": _reduction(mean),
    "ReduceMin": _reduction(lambda x, axes, keepdims: x.amin(axes, keepdims), smaller),
    "ReduceProd": _reduction(product, lambda a, b: a * b),
    "ReduceSum": _reduction(total, lambda a, b: a + b),
    "ReduceSumSquare": _reduction(lambda x, axes, keepdims: total(x * x, axes, keepdims), alone=torch.square),
}
