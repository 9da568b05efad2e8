"""A quantised file beside ONNX Runtime, node by node: each is given what ONNX Runtime's own have computed so far.

Sums are added up in another order, so a number on the border of two levels may be rounded to either, and what is
behind it then has another level too: from end to end ONNX Runtime, its operators fused, is as far from itself one by
one. A node on its own is not: of the same numbers its results are the same, to a level where they are levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.onnx.graph import Step
from fgcompile.compiler.capture.onnx.levels import Levels, as_float
from fgcompile.compiler.capture.onnx.model import OnnxModel
from fgcompile.compiler.capture.onnx.values import Value

ON_A_BORDER = 0.01
"""Of a tensor's levels, how many may be another, by one: those whose number is between two but for rounding."""

FEW = 2
"""So many may be of any tensor, however small."""

CLOSE = 1e-4
"""How far apart real numbers may be, relative to the largest of a tensor."""

Arrays = Mapping[str, np.ndarray[Any, Any]]


def differing_node(model: OnnxModel, feeds: Mapping[str, Tensor], expected: Arrays) -> tuple[str, int] | None:
    """The first node that computes something else than ONNX Runtime of the same numbers, and its input's first size.

    Args:
        model: As read.
        feeds: Its inputs by name.
        expected: What ONNX Runtime computes of them with the file, every tensor that nodes of both have.
    """
    found: list[tuple[str, int]] = []

    def compute(step: Step, child: nn.Module, values: list[Value]) -> Sequence[Value]:
        results: list[Value] = list(child(*values))
        for place, name in enumerate(step.outputs[: len(results)]):
            if name in expected and not found:
                given = _given(results[place], expected[name])
                if given is None or not _is_close(results[place], given):
                    found.append((str(child.title), _first_size(values)))
                else:
                    results[place] = given
        return results

    with torch.no_grad():
        model.run(model.scope(feeds), compute)
    return found[0] if found else None


def _first_size(values: Sequence[Value]) -> int:
    """1 where there is none."""
    tensors = (value.level if isinstance(value, Levels) else value for value in values[:1])
    return next((value.shape[0] for value in tensors if isinstance(value, Tensor) and value.ndim), 1)


def _given(own: Value, array: np.ndarray[Any, Any]) -> Value:
    """What ONNX Runtime computed in the form of what we did; None where it is of another size.

    What is known without running the graph is ours: it may be sizes.
    """
    if isinstance(own, Levels):
        if array.size != own.level.numel():
            return None
        numbers = torch.from_numpy(array.astype(np.float32)).reshape(own.level.shape).to(own.level.dtype)
        return own.like(numbers - as_float(own.zero, own.level.dtype))
    if not isinstance(own, Tensor):
        return own
    if array.size != own.numel():
        return None
    return torch.from_numpy(np.asarray(array)).reshape(own.shape).to(own.dtype)


def _is_close(own: Value, given: Value) -> bool:
    if isinstance(own, Levels) and isinstance(given, Levels):
        return _few_levels((own.level - given.level).abs())
    if not isinstance(own, Tensor) or not isinstance(given, Tensor):
        return True
    if not own.is_floating_point():
        return _few_levels((own.double() - given.double()).abs())
    size = given[given.isfinite()].abs().amax() if given.isfinite().any() else torch.zeros(())
    return bool(torch.allclose(own, given, rtol=0, atol=CLOSE * float(size), equal_nan=True))


def _few_levels(apart: Tensor) -> bool:
    if not apart.numel():
        return True
    return bool(apart.amax() <= 1) and int((apart > 0).sum()) <= max(FEW, ON_A_BORDER * apart.numel())
