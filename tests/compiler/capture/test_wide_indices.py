"""Indices of 32 bits, as PyTorch takes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import fgcompile

PLACES = torch.tensor([0, 3, 3, 5], dtype=torch.int32)


class Indexed(nn.Module):
    """Layers around a function that reads or writes at places."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.function = nn.Linear(6, 8), nn.Linear(4, 3), function

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.first(x).relu())[:, :4])


@pytest.mark.parametrize(
    "function",
    [
        lambda h: h[:, PLACES],
        lambda h: h.view(-1, 2, 4)[:, PLACES % 2, PLACES % 4],
        lambda h: torch.zeros_like(h).index_put(
            (torch.arange(h.shape[0], dtype=torch.int32)[:, None], PLACES), h[:, :4], accumulate=True
        ),
        lambda h: torch.istft(torch.stft(h, 4, 1, return_complex=True, window=torch.ones(4)), 4, 1),
    ],
    ids=["read", "two axes", "written", "overlapping frames"],
)
def test_artifacts_read_and_write_there(function: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    model, x = Indexed(function).eval(), torch.randn(5, 6)
    artifact = fgcompile.compile(model, x[:2], outputs=("logits", "input_gradient"))
    explanation = artifact.session().explain(x, 1)
    torch.testing.assert_close(explanation.logits, model(x).detach())
    given = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(given)[:, 1].sum(), given)
    torch.testing.assert_close(explanation.input_gradient, gradient, rtol=1e-4, atol=1e-5)
