"""Constants of a dynamic shape."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase


def _fill_empty(x: Tensor) -> Tensor:
    return torch.select_scatter(torch.empty((x.shape[0], 1, 4), dtype=x.dtype), x[:, 0], 1, 0)


def _creation(name: str, function: Callable[..., Tensor]) -> OperatorCase:
    return OperatorCase(name, function, ((3, 4),), family="creation")


CREATIONS = (
    _creation("zeros, ones, empty", lambda x: x + torch.zeros(x.shape) + torch.ones(x.shape) + _fill_empty(x)),
    _creation("full", lambda x: torch.cat([x, torch.full((x.shape[0], 1, 4), 2.0)], 1)),
    _creation("new_zeros, new_ones", lambda x: x + x.new_zeros(x.shape) + x.new_ones(x.shape)),
    _creation("new_full", lambda x: torch.cat([x, x.new_full((x.shape[0], 1, 4), 2.0)], 1)),
    _creation("zeros_like, ones_like", lambda x: x + torch.zeros_like(x) + torch.ones_like(x)),
    _creation("full_like", lambda x: x * torch.full_like(x, 2.0)),
)
