"""Overloads become their packets; what TorchScript cannot know is refused by name."""

from __future__ import annotations

import pytest
import torch

from fgcompile.compiler.backends.torchscript.resolve_overloads import resolve_overloads
from fgcompile.errors import UnsupportedOpError
from tests.compiler.passes.texts import assert_rewrites, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x: x.sum([0], dtype=None) + 1, torch.ones(2, 3))
    before = """
        x_1: float32[2, 3]
        sum_1: float32[3] = aten.sum.dim_IntList(x_1, [0])
        add: float32[3] = aten.add.Tensor(sum_1, 1)
        return add
        """
    after = """
        x_1: float32[2, 3]
        sum_1: float32[3] = aten.sum(x_1, [0])
        add: float32[3] = aten.add(sum_1, 1)
        return add
        """
    assert_rewrites(resolve_overloads, graph_module, before, after)


def test_another_function_is_refused_by_the_name_of_its_node() -> None:
    graph_module = traced(lambda x: x + 1, torch.ones(3))
    (node,) = graph_module.graph.find_nodes(op="call_function", target=torch.ops.aten.add.Tensor)
    node.target = torch.sub
    with pytest.raises(UnsupportedOpError, match="node 'add' cannot be scripted"):
        run_alone(resolve_overloads, graph_module)
