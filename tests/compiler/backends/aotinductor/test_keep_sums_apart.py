"""A sum that Inductor might write over what others read is one of views."""

# ruff: noqa: E501 - a node of the graph is one line of its text

from __future__ import annotations

import pytest
import torch
from torch import fx, nn
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.compiler.backends.aotinductor.keep_sums_apart import keep_sums_apart
from tests.compiler.passes.texts import assert_rewrites, run_alone

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="Inductor calls oneDNN, if it is there"
)


class Residual(nn.Module):
    """A convolution as Inductor writes it, and a sum behind it."""

    def __init__(self, used_before: bool) -> None:
        super().__init__()
        self.used_before = used_before
        self.register_buffer("weight", torch.ones(16, 16, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        arguments = (self.weight, None, [1, 1], [1, 1], [1, 1], 1, "none", [], "")
        sine = x.sin()
        operand = sine if self.used_before else x
        return torch.ops.mkldnn._convolution_pointwise(operand, *arguments) + (x if self.used_before else sine)


def graph_of(model: nn.Module) -> fx.GraphModule:
    return make_fx(model, tracing_mode="symbolic", _allow_non_fake_inputs=True)(torch.ones(2, 16, 5, 6))


def test_before_and_after() -> None:
    before = """
        arg0_1: float32[s0, 16, s1, s2]
        sin: float32[s0, 16, s1, s2] = aten.sin.default(arg0_1)
        _tensor_constant0: float32[16, 16, 3, 3] = constant _tensor_constant0
        _convolution_pointwise: float32[s0, 16, s1, s2] = mkldnn._convolution_pointwise.default(sin, _tensor_constant0, None, [1, 1], [1, 1], [1, 1], 1, 'none', [], '')
        add: float32[s0, 16, s1, s2] = aten.add.Tensor(_convolution_pointwise, arg0_1)
        return add
        """
    after = """
        arg0_1: float32[s0, 16, s1, s2]
        sin: float32[s0, 16, s1, s2] = aten.sin.default(arg0_1)
        _tensor_constant0: float32[16, 16, 3, 3] = constant _tensor_constant0
        _convolution_pointwise: float32[s0, 16, s1, s2] = mkldnn._convolution_pointwise.default(sin, _tensor_constant0, None, [1, 1], [1, 1], [1, 1], 1, 'none', [], '')
        unsqueeze_default: float32[s0, 16, s1, s2, 1] = aten.unsqueeze.default(_convolution_pointwise, -1)
        unsqueeze_default_1: float32[s0, 16, s1, s2, 1] = aten.unsqueeze.default(arg0_1, -1)
        add_tensor: float32[s0, 16, s1, s2, 1] = aten.add.Tensor(unsqueeze_default, unsqueeze_default_1)
        squeeze_dim: float32[s0, 16, s1, s2] = aten.squeeze.dim(add_tensor, -1)
        return squeeze_dim
        """
    assert_rewrites(keep_sums_apart, graph_of(Residual(used_before=True)), before, after)


def test_a_sum_with_what_nobody_else_reads_stays() -> None:
    assert not run_alone(keep_sums_apart, graph_of(Residual(used_before=False)))
