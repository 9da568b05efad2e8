"""ψ in every layout: the same as that of the term brought to ``(N, C, *spatial)`` by hand, in the plain formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fgcompile.compiler.fullgrad.psi import PSI, PlacedTerm
from fgcompile.compiler.fullgrad.terms import TermValue
from fgcompile.compiler.ir.programs import Batch, Placement

FIRST = Batch(0, 1, True)


def rescaled(term: Tensor) -> Tensor:
    """ψ as the authors write it."""
    t = term.abs()
    t = t - t.flatten(1).amin(1).reshape(-1, *[1] * (t.ndim - 1))
    return t / (t.flatten(1).amax(1).reshape(-1, *[1] * (t.ndim - 1)) + 1e-6)


def scaled_by_channel(term: Tensor) -> Tensor:
    """ψ as pytorch-grad-cam writes it."""
    t = term.abs()
    t = t - t.flatten(2).amin(2).reshape(*t.shape[:2], *[1] * (t.ndim - 2))
    return t / (1e-7 + t.flatten(2).amax(2).reshape(*t.shape[:2], *[1] * (t.ndim - 2)))


PLAIN = {"fullgrad": rescaled, "grad-cam": scaled_by_channel, "signed": lambda term: term}


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


@pytest.mark.parametrize("psi", PSI)
@pytest.mark.parametrize("spatial", [(6,), (5, 7), (3, 4, 5)])
def test_channels_first(spatial: tuple[int, ...], psi: str) -> None:
    gradient, bias, dense = random(2, 4, *spatial), random(4), random(2, 4, *spatial) + 1
    axes = tuple(range(2, 2 + len(spatial)))
    placement = Placement("x", "", FIRST, (1,), axes, None, spatial)
    terms = [TermValue("a", gradient, bias, 1), TermValue("b", gradient, dense), TermValue("c", gradient, None)]
    products = [gradient * bias.reshape(-1, *[1] * len(spatial)), gradient * dense, gradient]
    expected = sum(PLAIN[psi](product).sum(1) for product in products)
    actual = PSI[psi].summed([PlacedTerm(term, placement) for term in terms], {})
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("psi", PSI)
def test_channels_last(psi: str) -> None:
    gradient, bias = random(2, 3, 5, 4), random(4)
    placement = Placement("x", "n h w c", FIRST, (3,), (1, 2), None, (3, 5))
    expected = PLAIN[psi]((gradient * bias).permute(0, 3, 1, 2)).sum(1)
    for term in (TermValue("t", gradient, bias), TermValue("t", gradient, bias.expand(3, 5, 4))):
        actual = PSI[psi].summed([PlacedTerm(term, placement)], {})
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("psi", PSI)
def test_tokens_behind_a_class_token(psi: str) -> None:
    gradient, bias = random(2, 7, 4), random(4)
    placement = Placement("x", "n (1 + h w) c", FIRST, (2,), (1,), tuple(range(1, 7)), (2, 3))
    grid = (gradient * bias)[:, 1:].reshape(2, 2, 3, 4).permute(0, 3, 1, 2)
    actual = PSI[psi].summed([PlacedTerm(TermValue("t", gradient, bias), placement)], {})
    torch.testing.assert_close(actual, PLAIN[psi](grid).sum(1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("psi", PSI)
@pytest.mark.parametrize("dense", [False, True])
def test_shifted_windows_merged_with_the_batch(psi: str, dense: bool) -> None:
    image = random(2, 4, 6, 3)
    bias = random(3) if not dense else random(2, 4, 6, 3)

    def windows(value: Tensor) -> Tensor:
        rolled = value.roll((-1, -1), (1, 2))
        return rolled.reshape(-1, 2, 2, 3, 2, 3).transpose(2, 3).reshape(-1, 4, 3)

    places = torch.arange(24).reshape(1, 4, 6, 1).expand(1, 4, 6, 3).double()
    order = tuple(torch.argsort(windows(places)[..., 0].flatten()).tolist())
    placement = Placement("x", "", Batch(0, 6, True), (2,), (0, 1), order, (4, 6))
    term = TermValue("t", windows(image), windows(bias) if dense else bias)
    actual = PSI[psi].summed([PlacedTerm(term, placement)], {order: torch.tensor(order)})
    expected = PLAIN[psi]((image * bias).permute(0, 3, 1, 2)).sum(1)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_the_batch_behind_the_tokens() -> None:
    gradient, bias = random(5, 2, 3), random(3)
    placement = Placement("x", "l n c", Batch(1, 1, True), (2,), (1,), None, (5,))
    expected = rescaled((gradient * bias).permute(1, 2, 0)).sum(1)
    actual = PSI["fullgrad"].summed([PlacedTerm(TermValue("t", gradient, bias), placement)], {})
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_heads_merged_with_the_batch_add_up() -> None:
    gradient = random(2 * 3, 5, 4)
    placement = Placement("x", "(n c) l c", Batch(0, 3, True), (0, 2), (1,), None, (5,))
    expected = rescaled(gradient.reshape(2, 3, 5, 4).permute(0, 1, 3, 2).flatten(1, 2)).sum(1)
    actual = PSI["fullgrad"].summed([PlacedTerm(TermValue("t", gradient, None), placement)], {})
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_the_finished_map_of_the_grad_cam_preset_is_within_zero_and_one() -> None:
    saliency = PSI["grad-cam"].finished(random(2, 5, 6) * 7)
    assert saliency.amin((1, 2)).abs().max() == 0
    torch.testing.assert_close(saliency.amax((1, 2)), torch.ones(2, dtype=torch.float64))
