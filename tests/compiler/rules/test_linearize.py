"""The rule set ``libragrad`` as a pass: what is a gate becomes a constant."""

from __future__ import annotations

import torch
from torch import nn

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.rules.libragrad import linearize
from tests.compiler.passes.texts import assert_rewrites_program


def test_before_and_after() -> None:
    captured = capture(nn.Sequential(nn.Linear(3, 2), nn.SiLU()).eval(), torch.ones(2, 3))
    before = """
        constant_0_weight: float32[2, 3] = constant constant_0_weight
        constant_0_bias: float32[2] = constant constant_0_bias
        input_1: float32[s0, 3]
        linear: float32[s0, 2] = aten.linear.default(input_1, constant_0_weight, constant_0_bias)  # 0
        silu: float32[s0, 2] = aten.silu.default(linear)  # 1
        return (silu,)
        """
    after = """
        constant_0_weight: float32[2, 3] = constant constant_0_weight
        constant_0_bias: float32[2] = constant constant_0_bias
        input_1: float32[s0, 3]
        linear: float32[s0, 2] = aten.linear.default(input_1, constant_0_weight, constant_0_bias)  # 0
        detach: float32[s0, 2] = aten.detach.default(linear)  # 1
        sigmoid: float32[s0, 2] = aten.sigmoid.default(detach)  # 1
        mul: float32[s0, 2] = aten.mul.Tensor(linear, sigmoid)  # 1
        return (mul,)
        """
    assert_rewrites_program(linearize, captured, before, after)
