"""What a graph goes through before AOTInductor compiles it: unambiguous layouts, and examples that do not agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.backends.aotinductor.unambiguous_layouts import unambiguous_layouts
from fgcompile.compiler.backends.aotinductor.uneven_sizes import uneven_sizes
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.ir.sizes import hint, is_fixed
from fgcompile.compiler.pipeline import fuse
from tests.support.networks import build

aten = torch.ops.aten


class Narrow(nn.Module):
    """One channel in the middle, one position behind it, which a padding enlarges again."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.ReLU(),
            nn.Conv2d(8, 1, 1),
            nn.GELU(),
            nn.Conv2d(1, 8, 3),
            nn.GELU(),
            nn.Conv2d(8, 6, 4),
            nn.GELU(),
            nn.Conv2d(6, 5, 3, padding=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).flatten(1)


@pytest.fixture(scope="module")
def narrow() -> nn.Module:
    torch.manual_seed(0)
    return Narrow().eval()


def test_no_convolution_is_ambiguous_and_none_changes(narrow: nn.Module) -> None:
    x = torch.randn(3, 3, 8, 8)
    original = fuse(narrow, x, format="pt2").graph_module
    rewritten = copy_graph(original)
    assert run_passes(rewritten, [unambiguous_layouts])
    inputs = (x.double(), torch.tensor([-1, 0, 44]))
    for actual, expected in zip(rewritten(*inputs), original(*inputs), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    changed = 0
    convolutions = rewritten.graph.find_nodes(op="call_function", target=aten.convolution.default)
    for node in convolutions:
        shapes = [list(map(int, each.meta["val"].shape[1:])) for each in (node.args[0], node)]
        assert shapes[0][0] > 1 or shapes[1][0] == 1
        assert shapes[0][1:] != [1, 1] or shapes[1][1:] == [1, 1]
        changed += node.args[0].target in (aten.cat.default, aten.constant_pad_nd.default)
    assert changed == 3  # the two forward, and the gradient of the convolution to one channel


@pytest.mark.slow
def test_a_package_of_such_a_network(narrow: nn.Module) -> None:
    fgcompile.compile(narrow, torch.randn(2, 3, 8, 8), format="pt2")  # which checks what it returns


class Block(nn.Module):
    """A ConvNeXt block: its residual's gradient is scaled, for the layers of the block and for the last one's term."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.channels = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))

    def forward(self, x: Tensor) -> Tensor:
        return x + 1.5 * self.channels(self.spatial(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@pytest.mark.slow
def test_a_sum_is_not_written_over_what_is_read_once_more(tmp_path) -> None:
    torch.manual_seed(0)
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(8), nn.Linear(8, 10))
    model, x = nn.Sequential(nn.Conv2d(3, 8, 4, 4), Block(), *head).eval(), torch.randn(2, 3, 20, 20)
    path = tmp_path / "model.pt2"
    fgcompile.compile(model, x, format="pt2", outputs=("logits", "contributions")).save(path)
    actual = fgcompile.load(path).explain(x.numpy(), [0, 1]).contributions
    terms = fgcompile.full_gradient(model.double(), x.double(), torch.tensor([0, 1])).bias_gradients.values()
    expected = torch.stack([term.flatten(1).sum(1) for term in terms], 1).detach().numpy()
    np.testing.assert_allclose(actual[:, 1:], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_examples_of_sizes_are_uneven_and_no_two_alike() -> None:
    model, x = build("residual", torch.float32)
    program = fuse(model, x, format="pt2", dynamic_sizes=True)
    uneven = copy_graph(program.graph_module)
    assert run_passes(uneven, [uneven_sizes])
    before, after = (
        module.graph.find_nodes(op="placeholder")[0].meta["val"].shape for module in (program.graph_module, uneven)
    )
    assert [hint(size) for size in after] == [hint(before[0]), 3, 65, 129]
    assert [is_fixed(size) for size in after] == [False, True, False, False]
    inputs = (torch.randn(2, 3, 21, 22).double(), torch.tensor([-1, 1]))
    for actual, expected in zip(uneven(*inputs), program.graph_module(*inputs), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=0)


def test_a_graph_of_fixed_sizes_stays_itself(narrow: nn.Module) -> None:
    graph_module = fuse(narrow, torch.randn(2, 3, 8, 8), format="pt2").graph_module
    before = {node: node.meta["val"] for node in graph_module.graph.nodes if "val" in node.meta}
    assert not run_passes(graph_module, [uneven_sizes])
    assert all(node.meta["val"] is value for node, value in before.items())
