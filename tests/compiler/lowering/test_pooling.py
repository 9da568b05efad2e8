"""Pooling's input-gradient equals autograd's, ties included: the first maximum of a window takes its gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import assert_backward_matches, assert_lowered, trace_backward
from tests.support.operator_cases import AVERAGE_POOLINGS, MAX_POOLINGS, OperatorCase
from tests.support.sweeps import crossed, few

BY_NAME = {case.name: case for case in (*MAX_POOLINGS, *AVERAGE_POOLINGS)}
TIED = {
    "zeros": torch.zeros_like,
    "negative constant": lambda x: torch.full_like(x, -3.0),
    "after relu": torch.relu,
    "negated relu": lambda x: -torch.relu(x),
    "two values": lambda x: (x > 0).to(x.dtype),
    "quantised": lambda x: torch.round(x),
    "ramp along W": lambda x: torch.arange(x.shape[-1], dtype=x.dtype).expand_as(x).contiguous(),
}


@pytest.mark.parametrize("case", few([*MAX_POOLINGS, *AVERAGE_POOLINGS], 12), ids=lambda case: case.name)
def test_lowered_backward_equals_autograd(case: OperatorCase) -> None:
    assert_lowered(case)


@pytest.mark.parametrize(
    ("case", "tie"),
    crossed((case for case in MAX_POOLINGS if "pool" in case.name), TIED),
    ids=lambda value: getattr(value, "name", value),
)
def test_ties_go_to_the_first_maximum(case: OperatorCase, tie: str) -> None:
    inputs: tuple[Tensor, ...] = tuple(TIED[tie](x) for x in case.make_inputs(2))
    assert_backward_matches(case, inputs)


@pytest.mark.parametrize(
    "name",
    [
        "max_pool2d k3 s2 p1, odd size",
        "adaptive_max_pool2d, unequal",
        "avg_pool2d k3 s2 p1, pads not counted",
    ],
)
def test_exports_to_onnx(name: str) -> None:
    assert_exports(BY_NAME[name])


def test_pooling_keeps_no_indices() -> None:
    names = {str(operator) for operator in trace_backward(BY_NAME["max_pool2d k3 s2 p1"]).operators}
    assert not {name for name in names if "pool" in name or "scatter" in name}
