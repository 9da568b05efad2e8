"""Gradients of slicing, selecting, gathering and padding equal autograd's, without scatter."""

from __future__ import annotations

import pytest
import torch

from fgcompile.compiler.lowering import decomposition_table
from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import assert_backward_matches, assert_lowered, trace_backward
from tests.support.operator_cases import CREATIONS, INDEXINGS, OperatorCase
from tests.support.sweeps import few, first_of_each, quick

BY_NAME = {case.name: case for case in INDEXINGS}


@pytest.mark.parametrize("case", few(first_of_each([*INDEXINGS, *CREATIONS]), 10))
def test_lowered_backward_equals_autograd(case: OperatorCase) -> None:
    assert_lowered(case)


@pytest.mark.parametrize("name", ["max along an axis", "min along an axis", "amax", "topk"])
def test_ties(name: str) -> None:
    case = BY_NAME[name]
    assert_backward_matches(case, tuple(torch.round(x) for x in case.make_inputs(3)))


@pytest.mark.parametrize("name", ["max along an axis", "topk", "gather", "constant index"])
def test_zeros_that_were_scattered_into_are_not_added(name: str) -> None:
    graph = trace_backward(BY_NAME[name]).graph_module.graph
    expanded = [node.args[0] for node in graph.nodes if "aten.expand" in str(node.target)]
    assert [source for source in expanded if "aten.full" in str(source.target)] == []


@pytest.mark.parametrize(
    "name",
    quick(
        ["slice with a step", "two constant indices", "max along an axis", "im2col"],
        "two constant indices",
        "max along an axis",
    ),
)
def test_exports_to_onnx(name: str) -> None:
    assert_exports(BY_NAME[name])


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("out_int32", [False, True])
def test_values_on_a_boundary_are_counted_as_pytorch_counts_them(right: bool, out_int32: bool) -> None:
    boundaries = torch.tensor([-1.0, 0.0, 0.0, 2.0])
    x = torch.tensor([[-2.0, -1.0, -0.5], [0.0, 2.0, 3.0]])
    expected = torch.bucketize(x, boundaries, right=right, out_int32=out_int32)
    lowered = decomposition_table()[torch.ops.aten.bucketize.Tensor](x, boundaries, right=right, out_int32=out_int32)
    torch.testing.assert_close(lowered, expected, rtol=0, atol=0)
