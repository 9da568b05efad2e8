"""Rounding errors that are drawn: those of sums are each sum's own."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.compiler.ir.rounding import UNITS, nudge_sums, nudged

UNIT = UNITS["float32"]
MEAN, SPREAD = 100.0, 0.1


def variance(x: Tensor) -> Tensor:
    """E[x²] − E[x]²."""
    return (x * x).mean(1) - x.mean(1).square()


def test_what_two_sums_lose_is_not_what_their_input_loses() -> None:
    generator = torch.Generator().manual_seed(0)
    x = MEAN + SPREAD * torch.randn(3, 64, generator=generator, dtype=torch.float64)
    traced, exact = make_fx(variance, tracing_mode="fake")(x), variance(x)
    by_input = (variance(nudged(x, UNIT, generator)) - exact).abs().max()
    nudge_sums(traced, UNIT, generator)
    by_sums = (traced(x) - exact).abs().max()
    assert by_input < 10 * UNIT * MEAN * SPREAD
    assert UNIT * MEAN**2 / 100 < by_sums < 3 * 4 * UNIT * MEAN**2


def test_long_sums_lose_more_and_whole_numbers_nothing() -> None:
    x = torch.ones(1, 2**14, dtype=torch.float64)
    traced = make_fx(lambda x: (x.sum(1), x.long().sum(1)), tracing_mode="fake")(x)
    lost = []
    for seed in range(20):
        copy = torch.fx.GraphModule(traced, torch.fx.Graph())
        copy.graph = traced.graph.__deepcopy__()
        nudge_sums(copy, UNIT, torch.Generator().manual_seed(seed))
        real, whole = copy(x)
        assert int(whole) == 2**14
        lost.append(abs(float(real) / 2**14 - 1) / UNIT)
    assert 4 < max(lost) <= 64  # √n/2


def test_without_a_unit_nothing_changes() -> None:
    traced = make_fx(variance, tracing_mode="fake")(torch.ones(2, 3))
    before = str(traced.graph)
    nudge_sums(traced, 0.0, torch.Generator())
    assert str(traced.graph) == before
