"""Dynamic sizes take other examples; the graph stays what it is."""

from __future__ import annotations

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.compiler.backends.aotinductor.uneven_sizes import uneven_sizes
from fgcompile.compiler.ir.sizes import hint
from tests.compiler.passes.texts import assert_rewrites


def test_before_and_after() -> None:
    graph_module = make_fx(lambda x: x.relu().sum(1), tracing_mode="symbolic")(torch.ones(2, 8, 12))
    text = """
        x_1: float32[s0, s1, s2]
        relu: float32[s0, s1, s2] = aten.relu.default(x_1)
        sum_1: float32[s0, s2] = aten.sum.dim_IntList(relu, [1])
        return sum_1
        """
    assert_rewrites(uneven_sizes, graph_module, text, text)
    (x,) = graph_module.graph.find_nodes(op="placeholder")
    assert [hint(size) for size in x.meta["val"].shape] == [2, 65, 129]
