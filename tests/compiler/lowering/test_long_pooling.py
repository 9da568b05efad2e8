"""Average pooling along long axes, by taps: at the same small sizes as the matrices, and equal to autograd."""

from __future__ import annotations

import pytest
import torch

from tests.compiler.lowering.tracing import assert_backward_matches, trace_backward
from tests.support.operator_cases import AVERAGE_POOLINGS, OperatorCase

CASES = [one for one in AVERAGE_POOLINGS if one.name.startswith("avg_pool") and "left out" not in one.name]


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_shares_of_windows_equal_autograd(one: OperatorCase) -> None:
    assert torch.ops.aten.mm.default not in trace_backward(one).operators
    for batch in (1, 3):
        assert_backward_matches(one, one.make_inputs(batch, seed=batch))
