"""What the ONNX exporter has no translation for is written in terms of what it has one for."""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.backends.spelling import spell_out
from tests.compiler.passes.texts import assert_rewrites, traced

aten = torch.ops.aten


def test_before_and_after() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return aten.rsub.Scalar(x, 2), x.squeeze((0, 2)), aten.var.correction(x, [1], correction=1)

    graph_module = traced(function, torch.ones(1, 3, 1))
    before = """
        x_1: float32[1, 3, 1]
        rsub: float32[1, 3, 1] = aten.rsub.Scalar(x_1, 2)
        squeeze: float32[3] = aten.squeeze.dims(x_1, [0, 2])
        var: float32[1, 1] = aten.var.correction(x_1, [1], correction=1)
        return (rsub, squeeze, var)
        """
    after = """
        x_1: float32[1, 3, 1]
        sub_tensor: float32[1, 3, 1] = aten.sub.Tensor(2, x_1)
        squeeze_dim: float32[1, 3] = aten.squeeze.dim(x_1, 2)
        squeeze_dim_1: float32[3] = aten.squeeze.dim(squeeze_dim, 0)
        mean_dim: float32[1, 1, 1] = aten.mean.dim(x_1, [1], True)
        sub_tensor_1: float32[1, 3, 1] = aten.sub.Tensor(x_1, mean_dim)
        mul_tensor: float32[1, 3, 1] = aten.mul.Tensor(sub_tensor_1, sub_tensor_1)
        mean_dim_1: float32[1, 1] = aten.mean.dim(mul_tensor, [1], False)
        mul_tensor_1: float32[1, 1] = aten.mul.Tensor(mean_dim_1, 1.5)
        return (sub_tensor, squeeze_dim_1, mul_tensor_1)
        """
    assert_rewrites(spell_out, graph_module, before, after)
    x = torch.randn(1, 3, 1)
    for actual, expected in zip(graph_module(x), function(x), strict=True):
        torch.testing.assert_close(actual, expected)


def test_a_variance_over_a_dynamic_axis_is_divided_by_its_count() -> None:
    from torch.fx.experimental.proxy_tensor import make_fx

    from fgcompile.compiler.ir.runner import run_passes

    def function(x: Tensor) -> Tensor:
        return aten.mul.Scalar(aten.var.correction(x, [0], correction=1), 2 / (x.shape[0] - 1))

    graph_module = make_fx(function, tracing_mode="symbolic")(torch.ones(4, 3))
    assert run_passes(graph_module, [spell_out])
    targets = {node.target for node in graph_module.graph.nodes}
    assert not targets & {aten.var.correction, aten.mul.Scalar}
    x = torch.randn(7, 3)
    torch.testing.assert_close(graph_module(x), x.var(0) * 2 / 6)
