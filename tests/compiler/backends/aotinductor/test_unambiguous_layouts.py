"""An input of one channel becomes one of two, the second of which has weights of zero."""

# ruff: noqa: E501 - a node of the graph is one line of its text

from __future__ import annotations

import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.compiler.backends.aotinductor.unambiguous_layouts import unambiguous_layouts
from tests.compiler.passes.texts import assert_rewrites


class OneChannel(nn.Module):
    """A convolution of one channel."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(3, 1, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x, self.weight)


def test_before_and_after() -> None:
    model, x = OneChannel(), torch.randn(2, 1, 8, 9)
    graph_module = make_fx(model, tracing_mode="symbolic", _allow_non_fake_inputs=True)(x)
    before = """
        arg0_1: float32[s0, 1, s1, s2]
        _tensor_constant0: float32[3, 1, 3, 3] = constant _tensor_constant0
        convolution: float32[s0, 3, s1 - 2, s2 - 2] = aten.convolution.default(arg0_1, _tensor_constant0, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
        return convolution
        """
    after = """
        arg0_1: float32[s0, 1, s1, s2]
        _tensor_constant0: float32[3, 1, 3, 3] = constant _tensor_constant0
        cat_default: float32[s0, 2, s1, s2] = aten.cat.default([arg0_1, arg0_1], 1)
        mul_scalar: float32[3, 1, 3, 3] = aten.mul.Scalar(_tensor_constant0, 0.0)
        cat_default_1: float32[3, 2, 3, 3] = aten.cat.default([_tensor_constant0, mul_scalar], 1)
        convolution: float32[s0, 3, s1 - 2, s2 - 2] = aten.convolution.default(cat_default, cat_default_1, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
        return convolution
        """
    assert_rewrites(unambiguous_layouts, graph_module, before, after)
    torch.testing.assert_close(graph_module(x), model(x))
