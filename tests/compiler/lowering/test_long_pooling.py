"""Pooling along long axes, by taps, poolings and gathers, at the same small sizes as the matrices."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from fgcompile.compiler.lowering import forward_gaps, pooling, wide_windows
from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import assert_backward_matches, trace_backward
from tests.support.operator_cases import AVERAGE_POOLINGS, MAX_POOLINGS, OperatorCase
from tests.support.sweeps import few, first_of_each

aten = torch.ops.aten
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
@pytest.mark.parametrize("one", few([*AVERAGES, *MAXIMA], 5), ids=lambda one: one.name)
def test_equal_autograd(one: OperatorCase) -> None:
    assert_no_matrix(one)


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("one", few((each for each in AVERAGES if each.name[:3] == "avg"), 7), ids=lambda one: one.name)
def test_windows_of_many_taps_equal_autograd(one: OperatorCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "MOST_TAPS", 0)
    assert_no_matrix(one)


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("one", few(first_of_each(MAXIMA), 1))
def test_windows_that_are_one_axis_equal_autograd(one: OperatorCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide_windows, "MOST_UNROLLED", 0)
    assert_no_matrix(one)
    assert_backward_matches(one, tuple((x > 0).to(x.dtype) for x in one.make_inputs(2)))
    assert_exports(one)


@pytest.mark.parametrize(("size", "count"), [(7, 3), (12, 4), (3, 5), (23, 1), (6, 6)])
def test_the_first_of_equal_maxima_counts(size: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide_windows, "MOST_UNROLLED", 0)
    x = torch.randint(0, 3, (2, 3, size, 4), generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    expected, place = F.adaptive_max_pool2d(x, (count, 3), return_indices=True)
    g = torch.arange(expected.numel(), dtype=x.dtype).reshape(expected.shape) + 1
    values, found = forward_gaps.LOWERINGS[aten.adaptive_max_pool2d.default](x.detach(), (count, 3))
    assert torch.equal(values, expected)
    assert torch.equal(found.expand_as(place), place)
    back = pooling.LOWERINGS[aten.adaptive_max_pool2d_backward.default](g, x.detach(), place)
    torch.testing.assert_close(back, torch.autograd.grad(expected, x, g)[0])


def test_nodes_do_not_grow_with_the_taps() -> None:
    one = next(one for one in MAXIMA if one.name == "adaptive_max_pool1d, unequal")
    sizes = []
    for size in (1_100, 2_200):
        wide = dataclasses.replace(one, name=f"wide {size}", inputs=((3, size),))
        sizes.append(len(trace_backward(wide).operators))
    assert sizes[0] == sizes[1] < 40


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize(
    "one", few((one for one in (*AVERAGES, *MAXIMA) if one.name.endswith(EXPORTED)), 2), ids=lambda one: one.name
)
def test_exports_to_onnx(one: OperatorCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "MOST_TAPS", 0)
    assert_exports(one)
    trace_backward.cache_clear()
