"""Random convolutional networks: completeness is exact, and the fused graph equals the eager full-gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import fgcompile
from fgcompile.pipeline import fuse
from tests.networks import randomised

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "silu": F.silu,
    "hardswish": F.hardswish,
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "identity": lambda x: x,
}
POOLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "max": lambda x: F.max_pool2d(x, 3, 2, 1),
    "average": lambda x: F.avg_pool2d(x, 2, ceil_mode=True),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, (3, 4)),
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
}


class Block(nn.Module):
    """One random layer: convolution, optional BatchNorm, activation, optional skip or concatenation, pooling."""

    def __init__(self, channels: int, options: dict[str, object]) -> None:
        super().__init__()
        self.options = options
        groups = channels if options["depthwise"] else 1
        kernel, stride, dilation = int(options["kernel"]), int(options["stride"]), int(options["dilation"])
        self.conv = nn.Conv2d(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            groups=groups,
            bias=bool(options["bias"]),
        )
        self.bn = nn.BatchNorm2d(channels) if options["norm"] else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = ACTIVATIONS[str(self.options["activation"])](self.bn(self.conv(x)))
        if y.shape == x.shape and self.options["join"] == "add":
            y = y + x
        if y.shape == x.shape and self.options["join"] == "product":
            y = y * torch.sigmoid(x)
        return POOLINGS[str(self.options["pooling"])](y)


class Network(nn.Module):
    def __init__(self, channels: int, blocks: list[dict[str, object]]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(channels, options) for options in blocks))
        self.head = nn.Linear(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


BLOCK = st.fixed_dictionaries(
    {
        "kernel": st.sampled_from([1, 2, 3, 5]),
        "stride": st.sampled_from([1, 1, 2, 3]),
        "dilation": st.sampled_from([1, 1, 2]),
        "depthwise": st.booleans(),
        "bias": st.booleans(),
        "norm": st.booleans(),
        "activation": st.sampled_from(sorted(ACTIVATIONS)),
        "join": st.sampled_from(["none", "add", "product"]),
        "pooling": st.sampled_from(sorted(POOLINGS)),
    }
)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    channels=st.sampled_from([1, 3, 4]),
    blocks=st.lists(BLOCK, min_size=1, max_size=3),
    height=st.integers(8, 13),
    width=st.integers(8, 13),
    seed=st.integers(0, 1000),
)
def test_random_networks(channels: int, blocks: list[dict[str, object]], height: int, width: int, seed: int) -> None:
    torch.manual_seed(seed)
    model = randomised(Network(channels, blocks)).double()
    x = torch.randn(3, 2, height, width, dtype=torch.float64)
    target = torch.tensor([0, 2, 1])
    terms = fgcompile.full_gradient(model, x, target=target)
    assert terms.relative_completeness_error.max() < 1e-12
    program = fuse(model, x[:1], outputs=("logits", "saliency", "contributions", "input_gradient"))
    logits, saliency, contributions, gradient = program.graph_module(x, target)
    torch.testing.assert_close(logits, terms.output, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient, terms.input_gradient, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(contributions.sum(1), terms.score, rtol=1e-9, atol=1e-10)
    assert saliency.shape == (3, 1, height, width)
    assert (saliency >= -1e-9).all()
