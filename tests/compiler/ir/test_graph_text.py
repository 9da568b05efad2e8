"""A graph as text: names, shapes, operators, arguments and layers."""

from __future__ import annotations

import operator

import torch
from torch import fx

from fgcompile.compiler.ir.graph_text import graph_text

aten = torch.ops.aten


def test_a_line_says_all_of_a_node() -> None:
    graph = fx.Graph()
    x, weight = graph.placeholder("x"), graph.get_attr("weight")
    x.meta["val"], weight.meta["val"] = torch.empty(2, 3), torch.empty(3, dtype=torch.float16)
    total = graph.call_function(aten.sum.dim_IntList, (x, [1]), {"dtype": torch.float64})
    total.meta = {"val": torch.empty(2, dtype=torch.float64), "nn_module_stack": {"h": ("layer.1", torch.nn.ReLU)}}
    both = graph.call_function(aten.topk.default, (x, 1))
    both.meta["val"] = (torch.empty(2, 1), torch.empty(2, 1, dtype=torch.int64))
    picked = graph.call_function(operator.getitem, (both, 0))
    size = graph.call_function(aten.gelu, (picked, "none"))
    size.meta["val"] = 3
    graph.output((total, size))
    assert graph_text(graph).splitlines() == [
        "x: float32[2, 3]",
        "weight: float16[3] = constant weight",
        "sum_dim_int_list: float64[2] = aten.sum.dim_IntList(x, [1], dtype=torch.float64)  # layer.1",
        "topk_default: (float32[2, 1], int64[2, 1]) = aten.topk.default(x, 1)",
        "getitem = getitem(topk_default, 0)",
        "gelu: int = aten.gelu(getitem, 'none')",
        "return (sum_dim_int_list, gelu)",
    ]
