"""PyTorch's layers that are made of other operators, gated blocks, and what is the identity in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from tests.support.operator_cases.case import OperatorCase, Shape, layer_case


def _layer(name: str, function: Callable[..., Tensor], inputs: tuple[Shape, ...], *constants: Shape) -> OperatorCase:
    return OperatorCase(name, function, inputs, constants, "layer")


def _geglu(x: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
    value, gate = F.linear(x, inner).chunk(2, -1)
    return F.linear(value * F.gelu(gate), outer)


def _swiglu(x: Tensor, gate: Tensor, value: Tensor, outer: Tensor) -> Tensor:
    return F.linear(F.silu(F.linear(x, gate)) * F.linear(x, value), outer)


def _squeeze_and_excite(gate: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def function(x: Tensor, squeeze: Tensor, excite: Tensor) -> Tensor:
        summary = F.relu(F.conv2d(F.adaptive_avg_pool2d(x, 1), squeeze))
        return x * gate(F.conv2d(summary, excite))

    return function


class _StochasticDepth(nn.Module):
    """A residual block that training drops for some samples."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        kept = torch.rand(x.shape[0], 1, 1) if self.training else 1.0
        return x + self.block(x) * kept


LAYERS = (
    _layer("GEGLU", _geglu, ((5, 4),), (12, 4), (4, 6)),
    _layer("SwiGLU", _swiglu, ((5, 4),), (6, 4), (6, 4), (4, 6)),
    _layer("squeeze and excite", _squeeze_and_excite(torch.sigmoid), ((4, 3, 5),), (2, 4, 1, 1), (4, 2, 1, 1)),
    _layer("squeeze and excite, hard", _squeeze_and_excite(F.hardsigmoid), ((4, 3, 5),), (2, 4, 1, 1), (4, 2, 1, 1)),
    _layer("layer scale", lambda x, w: x + w * F.gelu(x), ((3, 4),), (4,)),
    _layer("local_response_norm", lambda x: F.local_response_norm(x, 5, k=2.0), ((6, 4, 5),)),
    _layer("local_response_norm of a signal", lambda x: F.local_response_norm(x, 2), ((6, 5),)),
    _layer("bilinear", F.bilinear, ((3,), (4,)), (5, 3, 4), (5,)),
    _layer("softmax over channels, layer", lambda x: nn.Softmax2d()(x), ((3, 4, 5),)),
    layer_case("Conv1d, circular", nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular"), (3, 8)),
    layer_case("Conv2d, circular", nn.Conv2d(3, 4, 3, padding=2, dilation=2, padding_mode="circular"), (3, 8, 7)),
    layer_case("Conv2d, reflect", nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), (3, 8, 7)),
    layer_case("Conv2d, weight norm", parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), (3, 5, 6)),
    layer_case("Conv2d, spectral norm", parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)), (3, 5, 6)),
    layer_case("Upsample", nn.Sequential(nn.Conv2d(2, 2, 1), nn.Upsample(scale_factor=2, mode="bilinear")), (2, 3, 4)),
    layer_case(
        "Unfold, Fold",
        nn.Sequential(nn.Conv2d(2, 2, 1), nn.Unfold(2, stride=2), nn.Tanh(), nn.Fold((4, 6), 2, stride=2)),
        (2, 4, 6),
    ),
    layer_case(
        "PixelShuffle, PixelUnshuffle",
        nn.Sequential(nn.Conv2d(2, 8, 1), nn.PixelShuffle(2), nn.PixelUnshuffle(2)),
        (2, 4, 6),
    ),
    layer_case(
        "dropouts", nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Dropout1d(), nn.AlphaDropout(), nn.GELU()), (3, 4)
    ),
    layer_case("stochastic depth", _StochasticDepth(), (3, 4)),
)
