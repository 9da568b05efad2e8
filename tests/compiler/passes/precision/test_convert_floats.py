"""Every float of a graph takes the other dtype, and no integer does."""

from __future__ import annotations

import torch

from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.passes.optimize.fold_constants import fold_constants
from fgcompile.compiler.passes.precision.convert_floats import convert_floats
from tests.compiler.passes.texts import assert_rewrites, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x: (x > 0).to(torch.float64) * x, torch.ones(3, dtype=torch.float64))
    before = """
        x_1: float64[3]
        gt: bool[3] = aten.gt.Scalar(x_1, 0)
        _to_copy: float64[3] = aten._to_copy.default(gt, dtype=torch.float64)
        mul: float64[3] = aten.mul.Tensor(_to_copy, x_1)
        return mul
        """
    after = """
        x_1: float32[3]
        gt: bool[3] = aten.gt.Scalar(x_1, 0)
        _to_copy: float32[3] = aten._to_copy.default(gt, dtype=torch.float32)
        mul: float32[3] = aten.mul.Tensor(_to_copy, x_1)
        return mul
        """
    assert_rewrites(convert_floats(torch.float32), graph_module, before, after)


def test_floats_are_converted_in_constants_and_casts() -> None:
    graph_module = traced(
        lambda x: (x > 0).to(torch.float64) * torch.arange(3.0, dtype=torch.float64), torch.ones(2, 3)
    )
    run_alone(fold_constants, graph_module)
    single = copy_graph(graph_module)
    run_passes(single, [convert_floats(torch.float32)])
    assert single(torch.ones(2, 3)).dtype == torch.float32
    assert graph_module(torch.ones(2, 3)).dtype == torch.float64


def test_what_returns_several_values_is_retargeted_as_a_whole() -> None:
    graph_module = traced(lambda x: torch.topk(x, 2)[0], torch.ones(2, 3, dtype=torch.float64))
    single = copy_graph(graph_module)
    run_passes(single, [convert_floats(torch.float32)])
    (values, indices) = single.graph.find_nodes(op="call_function", target=torch.ops.aten.topk.default)[0].meta["val"]
    assert (values.dtype, indices.dtype) == (torch.float32, torch.int64)
