"""Dynamic sizes take other examples; the graph stays what it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.compiler.backends.aotinductor.uneven_sizes import uneven_sizes
from fgcompile.compiler.ir.graphs import propagate_shapes
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.ir.sizes import hint, is_fixed, same_size
from fgcompile.compiler.pipeline import fuse
from tests.compiler.passes.texts import assert_rewrites
from tests.support.sweeps import few


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


@pytest.mark.parametrize(
    "layers", few([[(2, 2, 0)], [(2, 2, 0), (3, 2, 1)], [(3, 2, 1)], [(4, 4, 0), (2, 2, 0), (2, 2, 0)]], 2)
)
def test_no_crop_is_of_nothing_at_the_examples(layers: list[tuple[int, int, int]]) -> None:
    channels, modules = 3, []
    for kernel, stride, padding in layers:
        modules += [nn.Conv2d(channels, 4, kernel, stride, padding), nn.ReLU()]
        channels = 4
    model = nn.Sequential(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    graph_module = fuse(model, torch.randn(2, 3, 64, 96), format="pt2", rules="taylor", dynamic_sizes=True).graph_module
    assert run_passes(graph_module, [uneven_sizes])
    propagate_shapes(graph_module)
    crops = 0
    for node in graph_module.graph.find_nodes(op="call_function", target=torch.ops.aten.slice.Tensor):
        axis = node.args[1]
        before, after = (one.meta["val"].shape[axis] for one in (node.args[0], node))
        if not is_fixed(after) and not same_size(before, after):
            crops += 1
            assert hint(before) != hint(after)
    assert crops >= 2
