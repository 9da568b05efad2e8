"""Reductions, order statistics and running sums along any axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.exactness.random_graphs.description import Choose, Layer, Operator, Settings, Shape

OverAxes = Callable[[Tensor, tuple[int, ...], bool], Tensor]

OVER_AXES: dict[str, OverAxes] = {
    "sum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "mean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "logsumexp": lambda x, axes, keep: x.logsumexp(axes, keepdim=keep),
    "norm": lambda x, axes, keep: torch.linalg.vector_norm(x + 1.7, dim=axes, keepdim=keep),
    "variance": lambda x, axes, keep: x.var(axes, correction=0, keepdim=keep),
    "deviation": lambda x, axes, keep: (x.var(axes, correction=0, keepdim=keep) + 0.1).sqrt(),
}
EXTREMES: dict[str, OverAxes] = {
    "amax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "amin": lambda x, axes, keep: x.amin(axes, keepdim=keep),
}
OverAxis = Callable[[Tensor, int, bool], Tensor]
SELECTIONS: dict[str, OverAxis] = {
    "max along an axis": lambda x, axis, keep: x.max(axis, keepdim=keep).values,
    "min along an axis": lambda x, axis, keep: x.min(axis, keepdim=keep).values,
    "median": lambda x, axis, keep: x.median(axis, keepdim=keep).values,
    "kthvalue": lambda x, axis, keep: x.kthvalue(1, axis, keepdim=keep).values,
    "topk": lambda x, axis, keep: x.topk(min(2, x.shape[axis]), axis).values,
    "sort": lambda x, axis, keep: x.sort(axis, descending=keep).values,
    "cummax": lambda x, axis, keep: x.cummax(axis).values,
    "gather by rank": lambda x, axis, keep: x.gather(axis, x.argsort(axis).narrow(axis, 0, 1)),
}
ALONG_AXIS: dict[str, OverAxis] = {
    "prod": lambda x, axis, keep: x.prod(axis, keepdim=keep),
    "cumsum": lambda x, axis, keep: x.cumsum(axis),
}


def _draw_axes(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    axes = list(range(1, len(shapes[0]) + 1))
    first = choose(axes)
    chosen = tuple(sorted({first, choose(axes)})) if choose([False, True]) else (first,)
    if len(chosen) == len(axes):
        return {"axes": chosen, "keep": True}
    return {"axes": chosen, "keep": choose([True, False])}


def _draw_axis(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    axis = choose(range(1, len(shapes[0]) + 1))
    return {"axis": axis, "keep": len(shapes[0]) == 1 or choose([True, False])}


def _over_axes(function: OverAxes, shapes: Sequence[Shape], settings: Settings) -> Layer:
    return lambda x: function(x, settings["axes"], settings["keep"])


def _along_axis(function: OverAxis, shapes: Sequence[Shape], settings: Settings) -> Layer:
    return lambda x: function(x, settings["axis"], settings["keep"])


def _operators() -> dict[str, Operator]:
    operators: dict[str, Operator] = {}
    for selects, functions in ((False, OVER_AXES), (True, EXTREMES)):
        for name, function in functions.items():
            operators[name] = Operator(partial(_over_axes, function), draw=_draw_axes, selects=selects)
    selections: tuple[tuple[bool, dict[str, Any]], ...] = ((False, ALONG_AXIS), (True, SELECTIONS))
    for selects, functions in selections:
        for name, function in functions.items():
            operators[name] = Operator(partial(_along_axis, function), draw=_draw_axis, selects=selects)
    return operators


OPERATORS = _operators()
