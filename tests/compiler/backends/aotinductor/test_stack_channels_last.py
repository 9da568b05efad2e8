"""What is interleaved into pictures has its channels last, and the same values."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fgcompile.compiler.backends.aotinductor.stack_channels_last import FEWEST, stack_channels_last
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.pipeline import fuse

aten = torch.ops.aten


def network(channels: int) -> nn.Module:
    """Max pooling and a strided convolution: their gradients interleave rows, and columns."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    layers += [nn.Conv2d(channels, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)]
    model = nn.Sequential(*layers).eval().double()
    model(torch.randn(1, 3, 12, 16, dtype=torch.float64))
    return model


@pytest.mark.parametrize("dynamic", [False, True])
def test_values_stay_and_channels_are_last(dynamic: bool) -> None:
    model, x = network(16), torch.randn(2, 3, 12, 16, dtype=torch.float64)
    if dynamic:
        model = nn.Sequential(*list(model)[:5], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4).double()).eval()
    original = fuse(model, x, format="pt2", rules="taylor", dynamic_sizes=dynamic).graph_module
    turned = copy_graph(original)
    assert run_passes(turned, [stack_channels_last])
    for stack in turned.graph.find_nodes(op="call_function", target=aten.stack.default):
        assert stack.meta["val"].shape[-1] == 16
    for samples in (1, 2, 5):
        inputs = (torch.randn(samples, 3, 12, 16, dtype=torch.float64), torch.full((samples,), -1))
        for found, expected in zip(turned(*inputs), original(*inputs), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    assert not run_passes(turned, [stack_channels_last])


def test_few_channels_stay() -> None:
    x = torch.randn(2, 3, 12, 16, dtype=torch.float64)
    graph_module = fuse(network(FEWEST - 1), x, format="pt2", rules="taylor").graph_module
    run_passes(graph_module, [stack_channels_last])
    stacks = graph_module.graph.find_nodes(op="call_function", target=aten.stack.default)
    assert any(stack.meta["val"].shape[1] == FEWEST - 1 for stack in stacks)
