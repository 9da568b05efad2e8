"""An equation is traced into the graph in place of a call: whole operators, in its layer, with symbolic sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.capture.decompositions import decompositions
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.sizes import is_fixed
from fgcompile.compiler.rules import apply_rules
from fgcompile.compiler.rules.normalization import group_norm
from fgcompile.compiler.rules.rewriting import inline

aten = torch.ops.aten


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.activation = nn.GroupNorm(2, 4), nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.activation(self.norm(x))
        return y


def calls(graph: fx.Graph) -> list[str]:
    return [str(node.target) for node in graph.nodes if node.op == "call_function"]


def test_the_graph_before_and_after() -> None:
    captured = capture(Normalised().eval(), torch.randn(2, 4, 3, 3))
    before = [name for name in calls(captured.graph_module.graph) if "sym_size" not in name]
    assert before == ["aten.native_group_norm.default", "<built-in function getitem>", "aten.silu.default"]
    after = [name for name in calls(apply_rules(captured, "libragrad").graph_module.graph) if "sym_size" not in name]
    assert after == [
        "aten.clone.default",
        "aten.reshape.default",
        "aten.mean.dim",
        "aten.sub.Tensor",
        "aten.detach.default",
        "aten.mul.Tensor",
        "aten.mean.dim",
        "aten.add.Tensor",
        "aten.rsqrt.default",
        "aten.mul.Tensor",
        "aten.reshape.default",
        "aten.reshape.default",
        "aten.reshape.default",
        "aten.mul.Tensor",
        "aten.add.Tensor",
        "aten.detach.default",
        "aten.sigmoid.default",
        "aten.mul.Tensor",
    ]
    assert {str(operator) for operator in decompositions()}.isdisjoint(after)


def test_what_is_written_belongs_to_the_layer_and_keeps_its_batch() -> None:
    graph = copy_graph(capture(Normalised().eval(), torch.randn(2, 4, 3, 3)).graph_module).graph
    (node,) = graph.find_nodes(op="call_function", target=aten.native_group_norm.default)
    (picked,) = node.users
    result, written = inline(group_norm, node, picked)
    assert result is written[-1]
    assert [str(size) for size in result.meta["val"].shape] == [str(size) for size in picked.meta["val"].shape]
    assert not is_fixed(result.meta["val"].shape[0])
    assert all(step.meta["nn_module_stack"] == node.meta["nn_module_stack"] for step in written)


def test_what_an_equation_makes_up_itself_is_refused() -> None:
    """A constant would need an attribute of the module that is rewritten."""
    graph = copy_graph(capture(Normalised().eval(), torch.randn(2, 4, 3, 3)).graph_module).graph
    (node,) = graph.find_nodes(op="call_function", target=aten.silu.default)
    with pytest.raises(AssertionError, match="no tensors of its own"):
        inline(lambda self: self * torch.tensor([2.0]), node, node)
