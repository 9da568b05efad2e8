"""Inputs that may be left out take their defaults from the module."""

from __future__ import annotations

import torch

from fgcompile.compiler.backends.torchscript.emit import take_defaults
from fgcompile.compiler.ir.programs import FusedProgram, ValueSpec
from tests.compiler.passes.texts import assert_rewrites, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x, bias: x + bias, torch.ones(2, 3), torch.ones(3))
    inputs = (ValueSpec("x_1", "float32", ("batch", 3)), ValueSpec("bias_1", "float32", (3,), torch.full((3,), 2.0)))
    program = FusedProgram(graph_module, inputs, (), (), torch.float32)
    before = """
        x_1: float32[2, 3]
        bias_1: float32[3]
        add: float32[2, 3] = aten.add.Tensor(x_1, bias_1)
        return add
        """
    after = """
        x_1: float32[2, 3]
        bias_1: float32[3]
        default_bias_1 = constant default_bias_1
        given_or_default = given_or_default(bias_1, default_bias_1)
        add: float32[2, 3] = aten.add.Tensor(x_1, given_or_default)
        return add
        """
    assert_rewrites(take_defaults(program), graph_module, before, after)
    x = torch.ones(2, 3)
    assert torch.equal(graph_module(x), x + 2)
    assert torch.equal(graph_module(x, torch.zeros(3)), x)
