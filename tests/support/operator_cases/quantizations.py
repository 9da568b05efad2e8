"""Simulated quantisation, whose gradient is that of the identity within the range."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase


def _quantization(name: str, function: Callable[..., Tensor], *constants: tuple[int, ...]) -> OperatorCase:
    return OperatorCase(name, function, ((3, 4),), constants, family="own_backward")


def _by_channel(x: Tensor, scales: Tensor) -> Tensor:
    zero_points = torch.tensor([0, 3, -2], dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(x, scales.abs().float() + 0.1, zero_points, 1, -8, 7)


QUANTIZATIONS = (
    _quantization("fake_quantize", lambda x: torch.fake_quantize_per_tensor_affine(x, 0.3, 2, -8, 7)),
    _quantization(
        "fake_quantize by tensors",
        lambda x, scale: torch.fake_quantize_per_tensor_affine(
            x, scale.abs().float() + 0.1, torch.ones(1, dtype=torch.int32), -8, 7
        ),
        (1,),
    ),
    _quantization("fake_quantize by channel", _by_channel, (3,)),
)
