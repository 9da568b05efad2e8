"""Convolution's input-gradient equals autograd's for every kernel, stride, dilation and group, in either form."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fgcompile.compiler.lowering.convolution import lower_convolution_backward
from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import assert_lowered, relative_error, trace_backward
from tests.support.operator_cases import CONVOLUTIONS, OperatorCase
from tests.support.sweeps import few

BY_NAME = {case.name: case for case in CONVOLUTIONS}


@pytest.mark.parametrize("case", few(CONVOLUTIONS, 10), ids=lambda case: case.name)
def test_lowered_backward_equals_autograd(case: OperatorCase) -> None:
    assert_lowered(case)


@pytest.mark.parametrize("name", ["conv2d k3 s2 p1", "conv2d k7 s4 p3"])
def test_exports_to_onnx(name: str) -> None:
    assert_exports(BY_NAME[name])


@pytest.mark.parametrize(
    ("name", "convolutions"),
    [("conv2d k3 s2 p1", 4), ("conv2d depthwise s2", 4), ("conv2d few channels k3 s2 p1", 1), ("conv2d k1 s2", 1)],
)
def test_phases_are_chosen_where_they_are_faster(name: str, convolutions: int) -> None:
    graph = trace_backward(BY_NAME[name]).graph_module.graph
    assert len(graph.find_nodes(op="call_function", target=torch.ops.aten.convolution.default)) == convolutions


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(4, 12), st.integers(4, 12)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2, 16]),
)
def test_any_setting(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: int,
    groups: int,
) -> None:
    spans = [length + 2 * p - dilation * (k - 1) for length, p, k in zip(size, padding, kernel, strict=True)]
    assume(min(spans) >= 1)
    x = torch.randn(2, 16, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(16, 16 // groups, *kernel, dtype=torch.float64)
    y = torch.nn.functional.conv2d(x, weight, None, stride, padding, dilation, groups)
    g = torch.randn_like(y)
    (expected,) = torch.autograd.grad(y, x, g)
    mask = [True, False, False]
    actual, _, _ = lower_convolution_backward(
        g, x.detach(), weight, None, stride, padding, (dilation,), False, (0, 0), groups, mask
    )
    assert relative_error(actual, expected) <= 1e-12


def test_weight_gradient_is_left_in_place() -> None:
    x, weight = torch.randn(1, 2, 4, 4), torch.randn(3, 2, 3, 3)
    g, mask = torch.randn(1, 3, 2, 2), [True, True, False]
    arguments = (None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, mask)
    assert lower_convolution_backward(g, x, weight, *arguments) is NotImplemented


def test_bias_gradient_is_the_sum() -> None:
    x, weight, g = torch.randn(2, 2, 4, 4), torch.randn(3, 2, 3, 3), torch.randn(2, 3, 2, 2)
    arguments = ([3], (1, 1), (0, 0), (1, 1), False, (0, 0), 1, [False, False, True])
    _, _, bias = lower_convolution_backward(g, x, weight, *arguments)
    torch.testing.assert_close(bias, g.sum((0, 2, 3)))
