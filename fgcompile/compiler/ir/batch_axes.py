"""Inputs whose batch is not their first axis, such as ``(L, N, H)`` of a sequence: ``layouts={"x": "l n h"}`` says so.

All stages work on values with the batch in front; an artifact takes, and returns, what the user has.

    x (L, N, H)  →  moved to the front  (N, L, H)  →  …  →  ∂f/∂x (N, L, H)  →  put back  (L, N, H)
"""

from __future__ import annotations

import torch
from torch import Tensor


def to_front(value: Tensor, axis: int) -> Tensor:
    """The value with its batch, of that axis, in front."""
    return _moved(value, axis, 0)


def put_back(value: Tensor, axis: int) -> Tensor:
    """The value with its first axis, the batch, where the user has it."""
    return _moved(value, 0, axis)


def _moved(value: Tensor, source: int, target: int) -> Tensor:
    # Contiguous, since a model may flatten by a view, which depends on strides.
    if source == target:
        return value
    return value.movedim(source, target).clone(memory_format=torch.contiguous_format)
