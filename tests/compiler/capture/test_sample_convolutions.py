"""Convolutions whose weights each sample makes for itself, by as many groups, against autograd."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.against_autograd import assert_right
from tests.support.sweeps import few

CASES: dict[str, tuple[Callable[..., Tensor], tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "padded": (F.conv2d, (5, 4, 3, 3), (6, 5), {"padding": 1}),
    "strides and gaps": (F.conv2d, (5, 4, 3, 2), (6, 5), {"padding": (2, 1), "stride": (2, 1), "dilation": (1, 2)}),
    "signal": (F.conv1d, (5, 4, 3), (9,), {"stride": 2}),
    "volume": (F.conv3d, (2, 4, 2, 1, 2), (4, 3, 3), {}),
    "transposed": (F.conv_transpose2d, (4, 5, 3, 2), (4, 5), {"stride": 2, "padding": 1, "output_padding": 1}),
    "transposed, cropped": (F.conv_transpose2d, (4, 5, 2, 2), (4, 5), {"stride": 2, "padding": 2}),
}


class Modulated(nn.Module):
    """A second input makes the weights, as in a StyleGAN, a conditional or a dynamic convolution."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.convolve, self.shape, _, self.options = CASES[name]
        self.weights = nn.Linear(3, math.prod(self.shape))
        self.bias = nn.Linear(3, 5 if self.shape[0] == 4 else self.shape[0])

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        count, channels = x.shape[:2]
        weights = torch.tanh(self.weights(style)).view(count * self.shape[0], *self.shape[1:])
        together = x.reshape(1, count * channels, *x.shape[2:])
        y = self.convolve(together, weights, self.bias(style).flatten(), groups=count, **self.options)
        return torch.tanh(y).view(count, -1, *y.shape[2:]).flatten(2).mean(2)


@pytest.mark.parametrize("name", few(CASES, 1))
def test_weights_of_each_sample(name: str) -> None:
    assert_right(Modulated(name), (4, *CASES[name][2]), (3,), rules=("taylor", "libragrad"))


def test_templates_of_each_sample() -> None:
    class Tracker(nn.Module):
        """A template slides over its sample, channel by channel."""

        def forward(self, x: Tensor, template: Tensor) -> Tensor:
            count, channels = x.shape[:2]
            kernels = template.reshape(count * channels, 1, *template.shape[2:])
            y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), kernels, groups=count * channels)
            return y.view(count, channels, *y.shape[2:]).sum(1).flatten(1)

    assert_right(Tracker(), (3, 5, 6), (3, 2, 3), score=lambda y: y.amax(1))
