"""Fully convolutional networks, one for each way in which sizes of space come about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.dynamic_tokens import Borders, Rows, Tokens
from tests.support.networks import randomised


class Strides(nn.Module):
    """Convolutions of several strides, kernels and dilations, BatchNorm, a residual, a mean over space."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, stride=2, padding=3)
        self.bn = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.down = nn.Conv2d(8, 8, 3, stride=(3, 2), padding=1, groups=2, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.short = nn.Conv2d(8, 8, 1, stride=(3, 2))
        self.wide = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.bn(self.stem(x))))
        x = F.relu(self.bn2(self.down(x)) + self.short(x))
        return self.head(F.relu6(self.wide(x)).mean((2, 3)))


class Poolings(nn.Module):
    """Max and average poolings with every setting, a gate, adaptive poolings to one place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.pools = nn.ModuleList(
            [
                nn.MaxPool2d(2, ceil_mode=True),
                nn.AvgPool2d(3, 2, 1),
                nn.AvgPool2d(2, 1, 1, count_include_pad=False),
                nn.MaxPool2d(2, 1, dilation=2),
                nn.AvgPool2d(2, ceil_mode=True),
            ]
        )
        self.gate = nn.Conv2d(4, 4, 1)
        self.average, self.maximum = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.conv(x))
        for pool in self.pools:
            x = pool(x)
        x = x * self.gate(self.average(x)).sigmoid()
        return self.head(torch.cat([self.average(x), self.maximum(x)], 1).flatten(1))


class UNet(nn.Module):
    """Down twice and up twice, by a transposed convolution and by interpolation: sizes are multiples of four."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.third = nn.Conv2d(8, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.join, self.last = nn.Conv2d(16, 4, 3, padding=1), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.first(x))
        second = F.relu(self.second(F.max_pool2d(first, 2)))
        third = F.relu(self.third(F.max_pool2d(second, 2)))
        joined = F.relu(self.join(torch.cat([self.up(third), second], 1)))
        up = F.interpolate(joined, scale_factor=2, mode="bilinear", align_corners=True)
        return self.last(torch.cat([up, first], 1))


class Segmenter(nn.Module):
    """A head whose output is enlarged to the input's size, and a branch pooled to one place and spread again."""

    def __init__(self, mode: str = "bilinear") -> None:
        super().__init__()
        self.mode = mode
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1))
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.ReLU())
        self.head = nn.Conv2d(16, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.body(x))
        align = False if self.mode == "bilinear" else None
        spread = F.interpolate(self.whole(y), size=y.shape[-2:], mode=self.mode, align_corners=align)
        y = self.head(torch.cat([y, spread], 1))
        return F.interpolate(y, size=x.shape[-2:], mode=self.mode, align_corners=align)


class Enlarged(nn.Module):
    """Interpolations by factors and transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2)
        self.up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = F.interpolate(F.elu(self.up(x)), scale_factor=2)
        return self.head((x * x).mean((2, 3)))


class Fractions(nn.Module):
    """Nearest-neighbour interpolation by factors that leave small sizes as they are, or double them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(torch.tanh(self.conv(x)), scale_factor=1.05)
        return self.head((F.interpolate(x, scale_factor=2.05) ** 3).mean((2, 3)))


class Adaptive(nn.Module):
    """Adaptive pooling to several places and a linear layer over them, as VGG has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool, self.head = nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d((2, 3)), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(F.relu(self.conv(x))).flatten(1))


class Signal(nn.Module):
    """A one-dimensional network with normalisation by groups."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(2, 6, 5, stride=2), nn.GroupNorm(2, 6)
        self.pool, self.up = nn.MaxPool1d(2), nn.Upsample(scale_factor=2, mode="linear")
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.up(self.pool(F.relu(self.norm(self.conv(x))))).mean(2))


class Volume(nn.Module):
    """A three-dimensional network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.conv2 = nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 4, 3, stride=2, padding=1)
        self.pool = nn.MaxPool3d(2)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.conv2(self.pool(F.relu(self.conv(x))))).mean((2, 3, 4)))


class TwoInputs(nn.Module):
    """Two images of one size, and a signal of its own length."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.signal = nn.Conv2d(3, 4, 3), nn.Conv2d(1, 4, 3), nn.Conv1d(2, 4, 3)
        self.head = nn.Linear(4, 3)

    def forward(self, image: Tensor, depth: Tensor, signal: Tensor) -> Tensor:
        joint = F.relu(self.left(image) + self.right(depth)).mean((2, 3))
        return self.head(joint + F.relu(self.signal(signal)).mean(2))


def mean_of_first(output: Tensor) -> Tensor:
    """A score of a map of logits."""
    return output[:, 0].mean((1, 2))


@dataclass(frozen=True)
class DynamicCase:
    """A network, the shapes of its example without batch, and others that it is run at.

    Attributes:
        make: Makes the network.
        example: The inputs' shapes.
        others: Other shapes of all inputs.
        dense: Whether the output is a map.
    """

    make: Callable[[], nn.Module]
    example: tuple[tuple[int, ...], ...]
    others: tuple[tuple[tuple[int, ...], ...], ...]
    dense: bool = False

    def build(self) -> nn.Module:
        """The network in float64 and evaluation mode, with no trivial bias."""
        torch.manual_seed(0)
        return randomised(self.make()).double()


def _images(*sizes: tuple[int, int]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    return tuple(((3, *size),) for size in sizes)


CASES = {
    "strides": DynamicCase(Strides, ((3, 40, 44),), _images((41, 37), (64, 30), (57, 83))),
    "poolings": DynamicCase(Poolings, ((3, 32, 32),), _images((27, 35), (26, 48), (50, 31))),
    "unet": DynamicCase(UNet, ((3, 16, 16),), _images((20, 36), (32, 12), (8, 44)), dense=True),
    "bilinear": DynamicCase(Segmenter, ((3, 24, 24),), _images((25, 31), (16, 40), (33, 18)), dense=True),
    "nearest": DynamicCase(
        lambda: Segmenter("nearest"), ((3, 24, 24),), _images((25, 31), (16, 40), (33, 18)), dense=True
    ),
    "exact": DynamicCase(
        lambda: Segmenter("nearest-exact"), ((3, 24, 24),), _images((25, 31), (16, 40), (33, 18)), dense=True
    ),
    "enlarged": DynamicCase(Enlarged, ((3, 15, 17),), _images((16, 9), (11, 30), (20, 21))),
    "fractions": DynamicCase(Fractions, ((3, 12, 25),), _images((11, 31), (26, 9), (18, 19))),
    "adaptive": DynamicCase(Adaptive, ((3, 14, 14),), _images((15, 13), (18, 9), (11, 20))),
    "signal": DynamicCase(Signal, ((2, 40),), (((2, 41),), ((2, 64),), ((2, 23),))),
    "volume": DynamicCase(Volume, ((1, 8, 10, 12),), (((1, 9, 11, 10),), ((1, 12, 8, 16),), ((1, 15, 15, 9),))),
    "tokens": DynamicCase(Tokens, ((3, 16, 20),), _images((20, 32), (12, 8), (29, 18))),
    "rows": DynamicCase(Rows, ((3, 12, 15),), _images((9, 13), (16, 10), (17, 21))),
    "borders": DynamicCase(Borders, ((3, 12, 15),), _images((9, 13), (16, 10), (17, 21))),
    "inputs": DynamicCase(
        TwoInputs,
        ((3, 12, 12), (1, 12, 12), (2, 12)),
        (((3, 13, 9), (1, 13, 9), (2, 20)), ((3, 8, 20), (1, 8, 20), (2, 9)), ((3, 17, 17), (1, 17, 17), (2, 31))),
    ),
}
