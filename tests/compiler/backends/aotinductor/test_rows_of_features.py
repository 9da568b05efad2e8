"""Features whose channels lie last are rows for what acts on each element; values stay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn

from fgcompile.compiler.backends.aotinductor.emit import FOR_PROCESSORS
from fgcompile.compiler.backends.aotinductor.flat_products import flat_products
from fgcompile.compiler.backends.aotinductor.rows_of_features import rows_of_features
from fgcompile.compiler.backends.aotinductor.single_columns import single_columns
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.ir.torch_internals import evaluated, expression
from fgcompile.compiler.pipeline import fuse

aten = torch.ops.aten


class Block(nn.Module):
    """A ConvNeXt's: a convolution, a normalisation and two linear layers over channels that lie last, a scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.up, self.down = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)
        self.scale = nn.Parameter(torch.rand(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x).permute(0, 2, 3, 1))
        y = self.down(nn.functional.gelu(self.up(y)))
        return x + self.scale * y.permute(0, 3, 1, 2)


class Head(nn.Module):
    """Linear layers over the channels of each place, which have statistics over space and a gate of the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer, self.gate = nn.Linear(channels, channels), nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1)
        y = self.layer(rows) * torch.sigmoid(self.gate(rows))
        y = y / (1 + y.abs().mean(-1, keepdim=True))
        return y - y.mean((1, 2), keepdim=True) * 0.5


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 2, 2), Block(6), Block(6), Head(6), nn.Flatten(1, 2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(3)).eval().double()


@pytest.fixture(scope="module")
def original() -> fx.GraphModule:
    model, x = network(), torch.randn(2, 3, 8, 12, dtype=torch.float64)
    model(x)
    return fuse(model, x, format="pt2", rules="taylor").graph_module


def products(graph_module: fx.GraphModule) -> list[fx.Node]:
    return graph_module.graph.find_nodes(op="call_function", target=aten.mm.default)


def compared(found: fx.GraphModule, original: fx.GraphModule) -> None:
    for samples in (1, 2, 5):
        inputs = (torch.randn(samples, 3, 8, 12, dtype=torch.float64), torch.full((samples,), -1))
        for one, other in zip(found(*inputs), original(*inputs), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


def test_values_stay_and_features_are_rows(original: fx.GraphModule) -> None:
    rewritten = copy_graph(original)
    assert run_passes(rewritten, [rows_of_features])
    compared(rewritten, original)
    for operator in (aten.erf.default, aten.exp.default, aten.native_layer_norm.default):
        nodes = rewritten.graph.find_nodes(op="call_function", target=operator)
        assert nodes
        for node in nodes:
            value = node.meta["val"]
            assert (value[0] if isinstance(value, tuple) else value).ndim == 2


def test_every_shape_is_kept_up(original: fx.GraphModule) -> None:
    rewritten = copy_graph(original)
    run_passes(rewritten, FOR_PROCESSORS)
    expected = {node.name: node.meta["val"] for node in rewritten.graph.nodes if node.op == "call_function"}
    inputs = (torch.randn(2, 3, 8, 12, dtype=torch.float64), torch.full((2,), -1))
    samples = rewritten.graph.find_nodes(op="placeholder")[0].meta["val"].shape[0]

    class Shapes(fx.Interpreter):
        def run_node(self, node: fx.Node) -> object:
            value = super().run_node(node)
            if isinstance(value, Tensor) and node.name in expected:
                declared = [evaluated(size, {expression(samples): 2}) for size in expected[node.name].shape]
                assert declared == list(value.shape), node.name
            return value

    Shapes(rewritten).run(*inputs)
    compared(rewritten, original)


def test_pictures_stay_as_they_are() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.GELU(), nn.Flatten(), nn.LazyLinear(3)).eval().double()
    x = torch.randn(2, 3, 8, 12, dtype=torch.float64)
    model(x)
    graph_module = fuse(model, x, format="pt2", rules="taylor").graph_module
    assert not run_passes(graph_module, [rows_of_features])


def test_a_product_with_one_column_is_a_sum(original: fx.GraphModule) -> None:
    rewritten = copy_graph(original)
    run_passes(rewritten, [flat_products])
    assert any(node.meta["val"].shape[1] == 1 for node in products(rewritten))
    assert run_passes(rewritten, [single_columns])
    assert all(node.meta["val"].shape[1] != 1 for node in products(rewritten))
    compared(rewritten, original)
