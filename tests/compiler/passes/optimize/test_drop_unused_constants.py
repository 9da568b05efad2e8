"""Of the constants of a module those go that its graph does not read."""

from __future__ import annotations

import torch

from fgcompile.compiler.passes.optimize.drop_unused_constants import drop_unused_constants
from tests.compiler.passes.texts import assert_shows, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x: x + torch.ones(3), torch.ones(2, 3))
    graph_module.register_buffer("read", torch.ones(3))
    graph_module.register_buffer("unread", torch.zeros(3))
    with graph_module.graph.inserting_before():
        read = graph_module.graph.get_attr("read")
    (total,) = graph_module.graph.find_nodes(op="call_function", target=torch.ops.aten.add.Tensor)
    total.args = (total.args[0], read)
    graph_module.graph.eliminate_dead_code()
    text = """
        read = constant read
        x_1: float32[2, 3]
        add: float32[2, 3] = aten.add.Tensor(x_1, read)
        return add
        """
    assert_shows(graph_module.graph, text)
    assert sorted(name for name, _ in graph_module.named_buffers()) == ["read", "unread"]
    assert run_alone(drop_unused_constants, graph_module)
    assert [name for name, _ in graph_module.named_buffers()] == ["read"]
    assert_shows(graph_module.graph, text)
    assert not run_alone(drop_unused_constants, graph_module)
