"""Interpolation between sizes that a graph knows only when it runs equals PyTorch's, forward and backward."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fgcompile.compiler.ir import gathering
from fgcompile.compiler.ir.resampling import linear_matrix
from fgcompile.compiler.lowering import long_pooling
from fgcompile.compiler.lowering.dynamic_interpolation import (
    DynamicInterpolation,
    go_back_dynamically,
    interpolate_dynamically,
)

FACTORS = list(itertools.product((0.3, 0.5, 0.7, 1.1, 1.3, 1.5, 2.0, 2.5, 6.1), (False, True)))
SIZES = [(size, output) for size in (1, 2, 3, 5, 10, 23) for output in (1, 2, 5, 8, 17, 40)]
SETTINGS = {
    "linear": (False, None),
    "linear, corners": (True, None),
    "nearest": (False, 0.0),
    "nearest-exact": (False, 0.5),
}


def differentiated(forward: Callable[[Tensor], Tensor], size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """An input, its output, a cotangent, and autograd's gradient."""
    generator = torch.Generator().manual_seed(size)
    x = torch.randn(2, 3, size, 2, generator=generator, dtype=torch.float64).requires_grad_()
    y = forward(x.movedim(2, 3).flatten(0, 1)).unflatten(0, (2, 3)).movedim(3, 2)
    g = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    return x.detach(), y.detach(), g, torch.autograd.grad(y, x, g)[0]


def assert_both(forward: Callable[[Tensor], Tensor], size: int, setting: DynamicInterpolation) -> None:
    x, y, g, expected = differentiated(forward, size)
    torch.testing.assert_close(interpolate_dynamically(x, 2, y.shape[2], setting), y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(go_back_dynamically(g, 2, size, setting), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SETTINGS)
def test_between_any_two_sizes(name: str) -> None:
    corners, nearest = SETTINGS[name]
    options = {"mode": name.partition(",")[0]} | ({} if nearest is not None else {"align_corners": corners})
    for size, output in SIZES:
        setting = DynamicInterpolation(None, corners, nearest)
        assert_both(lambda x, output=output: F.interpolate(x, output, **options), size, setting)


@pytest.mark.parametrize("name", ["linear", "nearest", "nearest-exact"])
@pytest.mark.parametrize("scale", [0.3, 0.7, 1.3, 1.7, 2.0, 2.5, 6.1])
def test_by_any_factor(name: str, scale: float) -> None:
    for size in (4, 5, 9, 20):
        setting = DynamicInterpolation(scale, False, SETTINGS[name][1])
        assert_both(lambda x: F.interpolate(x, scale_factor=scale, mode=name), size, setting)


@pytest.mark.parametrize("name", SETTINGS)
def test_matrices_and_gathers_of_every_small_size(name: str) -> None:
    """Sizes and factors as PyTorch reads them, with factors that leave a size as it is: then linear ones copy."""
    corners, nearest = SETTINGS[name]
    options = {"mode": name.partition(",")[0]} | ({} if nearest is not None else {"align_corners": corners})
    for size, (scale, recomputed) in itertools.product(range(1, 41), FACTORS):
        if int(size * scale) == 0:
            continue
        given = {"scale_factor": scale, "recompute_scale_factor": recomputed}
        kept = None if recomputed else scale
        for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-5)):
            # In float64 PyTorch rounds these positions in float64, and now and then reads another element.
            if name == "nearest-exact" and dtype == torch.float64:
                continue
            unit = torch.eye(size, dtype=dtype)
            expected = F.interpolate(unit.unsqueeze(0), **given, **options)[0].t()
            setting = DynamicInterpolation(kept, corners, nearest)
            torch.testing.assert_close(
                interpolate_dynamically(unit, 0, len(expected), setting), expected, rtol=0, atol=tolerance
            )
            back = go_back_dynamically(torch.eye(len(expected), dtype=dtype), 0, size, setting)
            torch.testing.assert_close(back, expected.t(), rtol=0, atol=tolerance)
            if nearest is None:
                matrix = linear_matrix(size, len(expected), corners, unit, kept)
                torch.testing.assert_close(matrix, expected, rtol=0, atol=tolerance)


def test_adaptive_averages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "LARGEST_MATRIX", 0)
    monkeypatch.setattr(long_pooling, "is_dynamic", lambda size: True)
    for size, count in SIZES:
        x, y, g, expected = differentiated(lambda x, count=count: F.adaptive_avg_pool1d(x, count), size)
        torch.testing.assert_close(long_pooling.average_adaptively(x, 2, count), y, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(long_pooling.go_back_adaptively(g, 2, size), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("scale", [None, 2.3])
def test_positions_of_long_axes_are_as_exact_in_float32(corners: bool, scale: float | None) -> None:
    size, output = 43_844, int(43_844 * 2.3)
    setting = DynamicInterpolation(None if corners else scale, corners, None)
    x = torch.randn(1, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    g = torch.randn(1, output, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for value, apply, target in ((x, interpolate_dynamically, output), (g, go_back_dynamically, size)):
        exact, single = (apply(each, 1, target, setting) for each in (value, value.float()))
        torch.testing.assert_close(single.double(), exact, rtol=0, atol=2e-6)
