"""Pooling along long axes, by taps, poolings and gathers, at the same small sizes as the matrices."""

from __future__ import annotations

import pytest
import torch

from fgcompile.compiler.lowering import pooling
from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import assert_backward_matches, trace_backward
from tests.support.operator_cases import AVERAGE_POOLINGS, MAX_POOLINGS, OperatorCase

MAXIMA = [one for one in MAX_POOLINGS if one.name.startswith("adaptive")]
AVERAGES = [one for one in AVERAGE_POOLINGS if "_pool" in one.name and not one.name.startswith("lp")]
EXPORTED = (
    "avg_pool1d, unequal",
    "avg_pool2d, unequal",
    "avg_pool3d, unequal",
    "max_pool2d, unequal",
    "left out and cut short",
)


def assert_no_matrix(one: OperatorCase) -> None:
    """Autograd's gradient at two batches, without a matrix product."""
    assert torch.ops.aten.mm.default not in trace_backward(one).operators
    for batch in (1, 3):
        assert_backward_matches(one, one.make_inputs(batch, seed=batch))


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("one", [*AVERAGES, *MAXIMA], ids=lambda one: one.name)
def test_equal_autograd(one: OperatorCase) -> None:
    assert_no_matrix(one)


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("one", [one for one in AVERAGES if one.name.startswith("avg")], ids=lambda one: one.name)
def test_windows_of_many_taps_equal_autograd(one: OperatorCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "MOST_TAPS", 0)
    assert_no_matrix(one)


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize(
    "one", [one for one in (*AVERAGES, *MAXIMA) if one.name.endswith(EXPORTED)], ids=lambda one: one.name
)
def test_exports_to_onnx(one: OperatorCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "MOST_TAPS", 0)
    assert_exports(one)
    trace_backward.cache_clear()
