"""Samples that depend on each other, or on their place in the batch, are refused with the layer and the line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import CaptureError
from tests.support.sweeps import few


def _write(place: int) -> Callable[[Tensor], Tensor]:
    def write(y: Tensor) -> Tensor:
        z = y * 1.0
        z[place] = 0
        return z

    return write


def _route(y: Tensor) -> Tensor:
    """Of the samples that choose a unit, those beyond the third are dropped, as Switch Transformers do."""
    chosen = nn.functional.one_hot(y.argmax(1), 5).to(y.dtype)
    return y * chosen * (chosen.cumsum(0) <= 3)


DEPENDENT: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "the first is written": (_write(0), "where"),
    "the last is written": (_write(-1), "where"),
    "the second is written": (lambda y: torch.where((torch.arange(y.shape[0]) == 1)[:, None], 0.0, y), "where"),
    "the third is written": (lambda y: torch.where((torch.arange(y.shape[0]) == 2)[:, None], 0.0, y), "where"),
    "the sixth is written": (lambda y: torch.where((torch.arange(y.shape[0]) == 5)[:, None], 0.0, y), "where"),
    "groups of eight": (lambda y: y * (1 + torch.arange(y.shape[0]) // 8)[:, None], "mul"),
    "groups of 32": (lambda y: y * (1 + torch.arange(y.shape[0]) // 32)[:, None], "mul"),
    "beyond 100": (lambda y: torch.where((torch.arange(y.shape[0]) - 100 > 0)[:, None], 0.0, y), "where"),
    "shifted bits": (lambda y: y * (1 + (torch.arange(y.shape[0]) >> 6))[:, None], "mul"),
    "twice the number": (lambda y: y * (1 + (torch.arange(y.shape[0]) * 2 < 150))[:, None], "mul"),
    "its square": (lambda y: y * (1 + (torch.arange(y.shape[0]) ** 2 < 10000))[:, None], "mul"),
    "bounds": (lambda y: y * (1 + torch.bucketize(torch.arange(y.shape[0]), torch.tensor([50, 90])))[:, None], "mul"),
    "what is beyond 90": (lambda y: y * (1 + max(y.shape[0] - 90, 0)), "mul"),
    "those long before": (lambda y: y + torch.ones(y.shape[0], y.shape[0]).tril(-60) @ y, ".*"),
    "beyond 500": (lambda y: y * (1 + torch.arange(y.shape[0]) // 500)[:, None], "mul"),
    "a batch of more than 64": (lambda y: y * (1 + y.shape[0] // 65), "mul"),
    "capacity of 40": (lambda y: y * ((y > 9).cumsum(0) + torch.ones_like(y).cumsum(0) <= 40), ".*"),
    "capacity": (_route, "cumsum"),
    "by the batch's size": (lambda y: y * (1 + y.shape[0] // 4), "mul"),
    "by rank": (lambda y: y * (1 + (y[:, 0].argsort().argsort() > 4).to(y.dtype))[:, None], ".*"),
    "others' rows": (lambda y: y[torch.arange(y.shape[0]) % 8], "index"),
    "rows of a table": (lambda y: y + torch.linspace(0, 1, 9)[torch.arange(y.shape[0]) // 4][:, None], "add"),
    "a mask over all": (lambda y: y * (1 + (torch.arange(y.shape[0] + 1)[1:] > 5))[:, None], "mul"),
    "numbered": (lambda y: y + torch.arange(y.shape[0])[:, None], "add"),
    "turned by six": (lambda y: y.roll(6, 0), "index_select"),
    "others' rows, selected": (lambda y: y.index_select(0, torch.arange(y.shape[0]) % 8), "index_select"),
    "turned": (lambda y: y + y.flip(0), "flip"),
    "rows of another": (lambda y: y.repeat_interleave(3, 0)[: y.shape[0]], "getitem"),
    "mean": (lambda y: y - y.mean(0, keepdim=True), "sub"),
}


class _Net(nn.Module):
    def __init__(self, middle: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.middle = nn.Linear(4, 5), nn.Linear(5, 3), middle

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(self.first(x)).tanh())


@pytest.mark.parametrize("name", few(DEPENDENT, 8))
def test_dependent_samples_are_refused(name: str) -> None:
    middle, operator = DEPENDENT[name]
    torch.manual_seed(0)
    with pytest.raises(CaptureError, match=rf"'{operator}' at .*\.py:\d+ makes of a sample depends on the other"):
        fgcompile.compile(_Net(middle).eval(), torch.randn(2, 4))


INDEPENDENT: dict[str, Callable[[Tensor], Tensor]] = {
    "indexed": lambda y: y[torch.arange(y.shape[0]), (y[:, :2] > 0).sum(1)][:, None] + y,
    "a diagonal of all pairs": lambda y: y * (y @ y.mT).diagonal()[:, None],
    "a mask of themselves": lambda y: y * torch.eye(y.shape[0]).max(1, keepdim=True)[0],
}


@pytest.mark.parametrize("name", few(INDEPENDENT, 2))
def test_independent_samples_that_are_compared_or_numbered_compile(name: str) -> None:
    torch.manual_seed(0)
    model = _Net(INDEPENDENT[name]).eval()
    session = fgcompile.compile(model, torch.randn(2, 4)).session()
    x = torch.randn(9, 4)
    torch.testing.assert_close(torch.as_tensor(session.explain(x.numpy()).logits), model(x).detach())
