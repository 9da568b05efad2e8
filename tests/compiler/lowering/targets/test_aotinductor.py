"""The sub-pixel form of a strided convolution's input-gradient equals autograd's, and is for packages alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from fgcompile.compiler.lowering.targets.aotinductor import lower_convolution_backward
from fgcompile.compiler.pipeline import fuse
from tests.compiler.lowering.tracing import relative_error

aten = torch.ops.aten


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data(), rank=st.integers(1, 3))
def test_any_setting(data: st.DataObject, rank: int) -> None:
    size, kernel, stride, padding = (
        data.draw(st.tuples(*[st.integers(low, high)] * rank)) for low, high in ((4, 11), (1, 7), (1, 5), (0, 4))
    )
    assume(min(length + 2 * p - (k - 1) for length, p, k in zip(size, padding, kernel, strict=True)) >= 1)
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 3, *kernel, dtype=torch.float64)
    ones, zeros = (1,) * rank, (0,) * rank
    y = aten.convolution(x, weight, None, stride, padding, ones, False, zeros, 1)
    g = torch.randn_like(y)
    (expected,) = torch.autograd.grad(y, x, g)
    arguments = (None, stride, padding, ones, False, zeros, 1, [True, False, False])
    actual, _, _ = lower_convolution_backward(g, x.detach(), weight, *arguments)
    assert relative_error(actual, expected) <= 1e-12


@pytest.mark.parametrize(("format", "transposed"), [("onnx", 1), ("pt2", 0)])
def test_a_stem_is_transposed_except_in_packages(format: str, transposed: int) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    graph = fuse(model, torch.randn(2, 3, 16, 16), format=format).graph_module.graph
    convolutions = graph.find_nodes(op="call_function", target=aten.convolution.default)
    assert sum(bool(node.args[6]) for node in convolutions) == transposed
