"""Small networks that show one thing each; the tests of every stage draw on them."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.operator_cases import OperatorCase


class CaseModule(nn.Module):
    """A row of the operator table as a module: its constants are buffers, its inputs are inputs."""

    def __init__(self, case: OperatorCase) -> None:
        super().__init__()
        self.function = case.function
        for index, value in enumerate(case.make_constants(torch.float64)):
            self.register_buffer(f"constant{index}", value)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs, *self.buffers())


class Function(nn.Module):
    """A function of one input."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class ConvNet(nn.Module):
    """Convolution, BatchNorm, ReLU, pooling, a residual block and a linear head: the common case."""

    def __init__(self, channels: int = 3, width: int = 8, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.bn(self.stem(x))))
        x = self.relu(self.bn2(self.conv(x)) + x)
        return self.head(x.mean((2, 3)))


class SharedLayers(nn.Module):
    """One convolution and one activation, each called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.act = nn.ReLU6()
        self.head = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(x) * 4)
        x = self.act(self.conv(x) * 4)
        return self.head(x.mean((2, 3)))


class InPlace(nn.Module):
    """Functional and in-place operators, a dropout, a concatenation with a constant, constants added."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.token = nn.Parameter(torch.randn(1, 2, 1, 1))
        self.scale = nn.Parameter(torch.randn(6, 1, 1))
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x += 0.5
        x.relu_()
        x = F.dropout(F.silu(x, inplace=True), 0.5, self.training)
        x = torch.cat([x, self.token.expand(x.shape[0], 2, *x.shape[2:])], 1)
        x = 1.5 - (x - self.scale) * 0.5
        x = F.interpolate(x, scale_factor=2, mode="bilinear")
        return self.head(x.mean((2, 3)))


class BatchNorms(nn.Module):
    """BatchNorm folded after each kind of product, standing alone, and without affine parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.BatchNorm2d(4)
        self.conv = nn.Conv2d(4, 6, 3, groups=2)
        self.bn = nn.BatchNorm2d(6, affine=False)
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2)
        self.bn_up = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 8, bias=False)
        self.bn_linear = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.conv(self.first(x))))
        x = F.elu(self.bn_up(self.up(x)))
        return self.head(F.relu(self.bn_linear(self.linear(x.mean((2, 3))))))


class Signal(nn.Module):
    """A one-dimensional network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 5, stride=2, dilation=2, padding=2)
        self.bn = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.max_pool1d(F.leaky_relu(self.bn(self.conv(x))), 2).mean(2))


class Volume(nn.Module):
    """A three-dimensional network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 4, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm3d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.avg_pool3d(F.relu(self.bn(self.conv(x))), 2).flatten(2).mean(2))


def randomised(model: nn.Module) -> nn.Module:
    """The model in evaluation mode with random BatchNorm parameters and statistics, so that no bias is trivial."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "residual": (ConvNet, (3, 17, 20)),
    "shared layers": (SharedLayers, (3, 8, 8)),
    "in place": (InPlace, (3, 8, 9)),
    "batch norms": (BatchNorms, (4, 9, 8)),
    "signal": (Signal, (2, 41)),
    "volume": (Volume, (1, 8, 9, 10)),
}
"""Each network and the shape of its input, without the batch."""


def build(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
    """A network in evaluation mode and a batch of two inputs."""
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    return randomised(make()).to(dtype), torch.randn(2, *shape, dtype=dtype)
