"""Maps at the input's size: by matrices and by gathers alike, and divided so that the sum stays."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fgcompile.compiler.fullgrad.enlarging import divided, interpolated
from fgcompile.compiler.ir import gathering

SIZES = [(1, 5), (4, 9), (7, 20), (8, 16), (3, 4), (6, 6), (5, 1), (9, 4), (10, 3), (2, 1)]


@pytest.fixture(params=["matrices", "gathers"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both forms at small sizes."""
    monkeypatch.setattr(gathering, "LARGEST_MATRIX", 0 if request.param == "gathers" else 1 << 20)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize(
    ("small", "large", "mode"),
    [
        *(((small,), (large,), "linear") for small, large in SIZES),
        ((7, 3), (20, 11), "bilinear"),
        ((1, 1), (4, 6), "bilinear"),
        ((8, 8), (4, 1), "bilinear"),
        ((2, 3, 4), (5, 6, 7), "trilinear"),
    ],
)
def test_interpolation_equals_pytorchs(
    small: tuple[int, ...], large: tuple[int, ...], mode: str, align_corners: bool
) -> None:
    values = random(2, *small)
    expected = F.interpolate(values.unsqueeze(1), large, mode=mode, align_corners=align_corners).squeeze(1)
    torch.testing.assert_close(interpolated(values, large, align_corners), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("small", "large"), SIZES)
def test_what_is_divided_keeps_its_sum(small: int, large: int) -> None:
    for values, size in ((random(2, small), [large]), (random(2, 3, small, 2), [5, large, 3])):
        result = divided(values, size)
        assert list(result.shape[1:]) == size
        torch.testing.assert_close(result.flatten(1).sum(1), values.flatten(1).sum(1), rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("small", "large"), [(4, 16), (16, 4), (3, 9), (1, 7)])
def test_an_even_sum_stays_even(small: int, large: int) -> None:
    result = divided(torch.full((1, small), 1 / small, dtype=torch.float64), [large])
    torch.testing.assert_close(result, torch.full((1, large), 1 / large, dtype=torch.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("small", "large"), SIZES)
def test_the_two_forms_divide_alike(small: int, large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = random(2, small)
    by_matrix = divided(values, [large])
    monkeypatch.setattr(gathering, "LARGEST_MATRIX", 0)
    torch.testing.assert_close(divided(values, [large]), by_matrix, rtol=1e-12, atol=1e-12)
