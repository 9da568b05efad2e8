"""A product and a sum in one call become a linear layer, or two calls."""

from __future__ import annotations

import torch
from torch import nn

from fgcompile.compiler.backends.torchscript.write_out_addmm import write_out_addmm
from tests.compiler.passes.texts import assert_rewrites, traced


class Two(nn.Module):
    """Such a call with a constant matrix, and one with an input and a factor."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(3, 2))
        self.register_buffer("bias", torch.randn(2))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias, torch.addmm(self.bias, x, self.weight), y, beta=0.5)


def test_before_and_after() -> None:
    x, y = torch.randn(4, 3), torch.randn(2, 2)
    model = Two()
    graph_module = traced(model, x, y)
    before = """
        arg0_1: float32[4, 3]
        arg1_1: float32[2, 2]
        _tensor_constant0: float32[2] = constant _tensor_constant0
        _tensor_constant1: float32[3, 2] = constant _tensor_constant1
        addmm: float32[4, 2] = aten.addmm.default(_tensor_constant0, arg0_1, _tensor_constant1)
        _tensor_constant0_1: float32[2] = constant _tensor_constant0
        addmm_1: float32[4, 2] = aten.addmm.default(_tensor_constant0_1, addmm, arg1_1, beta=0.5)
        return addmm_1
        """
    after = """
        arg0_1: float32[4, 3]
        arg1_1: float32[2, 2]
        _tensor_constant0: float32[2] = constant _tensor_constant0
        _tensor_constant1_transposed = constant _tensor_constant1_transposed
        linear_default = aten.linear.default(arg0_1, _tensor_constant1_transposed, _tensor_constant0)
        _tensor_constant0_1: float32[2] = constant _tensor_constant0
        mul_scalar = aten.mul.Scalar(_tensor_constant0_1, 0.5)
        mm_default = aten.mm.default(linear_default, arg1_1)
        add_tensor = aten.add.Tensor(mul_scalar, mm_default, alpha=1)
        return add_tensor
        """
    assert_rewrites(write_out_addmm, graph_module, before, after)
    torch.testing.assert_close(graph_module(x, y), model(x, y))
