"""Folding BatchNorm keeps outputs, gradients and both bias terms, at one site."""

from __future__ import annotations

import pytest
import torch

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.fullgrad.aggregation import contributions
from fgcompile.compiler.fullgrad.differentiate import differentiate
from fgcompile.compiler.ir.runner import run_program_passes
from fgcompile.compiler.passes.fold.batch_norm import fold_batch_norm
from tests.compiler.passes.texts import assert_rewrites_program
from tests.support.networks import NETWORKS, build


@pytest.mark.parametrize("name", NETWORKS)
def test_terms_stay_what_they_are(name: str) -> None:
    model, x = build(name)
    exposed = expose(capture(model, x))
    folded = run_program_passes(exposed, [fold_batch_norm()])
    before, after = (differentiate(program, [x], [lambda y: y[:, 1]])[0] for program in (exposed, folded))
    torch.testing.assert_close(after.output, before.output, rtol=1e-12, atol=1e-12)
    names = [["x", *(term.name for v in result.sites for term in v.terms)] for result in (before, after)]
    sums = [dict(zip(n, contributions(r).unbind(1), strict=True)) for n, r in zip(names, (before, after), strict=True)]
    assert sums[0].keys() == sums[1].keys()
    for term in sums[0]:
        torch.testing.assert_close(sums[1][term], sums[0][term], rtol=1e-9, atol=1e-11)


def test_every_product_before_a_batch_norm_is_folded() -> None:
    model, x = build("batch norms")
    folded = run_program_passes(expose(capture(model, x)), [fold_batch_norm()])
    terms = {site.name: [term.name for term in site.terms] for site in folded.sites if site.kind == "batch_norm"}
    assert terms == {
        "first": ["first"],  # nothing before it
        "bn": ["conv.bias", "bn"],
        "bn_up": ["up.bias", "bn_up"],
        "bn_linear": ["bn_linear"],  # the linear layer has no bias
    }
    products = [str(node.target) for node in folded.graph_module.graph.nodes if "mul" in str(node.target)]
    assert len(products) == 1  # the BatchNorm that stands alone


def test_a_product_that_something_else_uses_is_not_folded() -> None:
    class Reused(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = torch.nn.Conv2d(2, 2, 1), torch.nn.BatchNorm2d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            return (self.bn(y) + y).mean((2, 3))

    folded = run_program_passes(expose(capture(Reused().eval(), torch.randn(2, 2, 3, 3))), [fold_batch_norm()])
    assert [site.name for site in folded.sites] == ["conv", "bn"]


def test_before_and_after() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).eval()
    before = """
        constant_0_weight: float32[2, 3] = constant constant_0_weight
        input_1: float32[s0, 3]
        bias_0_bias: float32[2]
        bias_1: float32[2]
        linear_default: float32[s0, 2] = aten.linear.default(input_1, constant_0_weight, bias_0_bias)  # 0
        bias_1_scale: float32[2] = constant bias_1_scale
        mul_tensor: float32[s0, 2] = aten.mul.Tensor(linear_default, bias_1_scale)
        add_tensor: float32[s0, 2] = aten.add.Tensor(mul_tensor, bias_1)  # 1
        return (add_tensor,)
        """
    after = """
        input_1: float32[s0, 3]
        bias_0_bias: float32[2]
        bias_1: float32[2]
        folded_add_tensor_weight: float32[2, 3] = constant folded_add_tensor_weight
        add_tensor_1: float32[2] = aten.add.Tensor(bias_0_bias, bias_1)
        linear_default_1: float32[s0, 2] = aten.linear.default(input_1, folded_add_tensor_weight, add_tensor_1)  # 1
        return (linear_default_1,)
        """
    assert_rewrites_program(fold_batch_norm(), expose(capture(model, torch.randn(2, 3))), before, after)
