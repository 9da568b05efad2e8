"""Every way to read and write a part of a tensor is right, or refused by name: against eager autograd in float64."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import FgcompileError
from tests.support.indexing_forms import KEPT, REFUSED, Form
from tests.support.sweeps import few, quick

BY_AUTOGRAD_ALONE = ("scatter of a part", "scatter_add of a part")
"""Forms that PyTorch's autograd refuses itself, whose gradient is compared with finite differences."""


class Net(nn.Module):
    """Logits (N, 3) of (N, 4, 6), of weights for each place that a form leaves."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.first, self.form = nn.Linear(6, 6), form
        with torch.no_grad():
            size = form(torch.randn(2, 4, 6))[0].numel()
        self.last = nn.Linear(size, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.form(self.first(x)).tanh().flatten(1))


def _net(form: Form) -> tuple[Net, Tensor]:
    torch.manual_seed(0)
    return Net(form).eval(), torch.randn(5, 4, 6)


def _gradient(model: Net, x: Tensor) -> Tensor:
    leaf = x.double().requires_grad_()
    (gradient,) = torch.autograd.grad(model.double()(leaf).amax(1).sum(), leaf)
    return gradient


def _differences(model: Net, x: Tensor) -> Tensor:
    given, step = x.double(), 1e-6
    with torch.no_grad():
        found = torch.zeros_like(given)
        for place in range(given[0].numel()):
            unit = torch.zeros(given[0].numel(), dtype=given.dtype)
            unit[place] = step
            up, down = (model.double()(given + sign * unit.reshape(4, 6)).amax(1) for sign in (1, -1))
            found.flatten(1)[:, place] = (up - down) / (2 * step)
    return found


@pytest.mark.parametrize("name", few(KEPT, 14))
def test_the_terms_are_autograds(name: str) -> None:
    model, x = _net(KEPT[name])
    terms = fgcompile.full_gradient(model.double(), x.double())
    expected = _differences(model, x) if name in BY_AUTOGRAD_ALONE else _gradient(model, x)
    tolerance = 1e-6 if name in BY_AUTOGRAD_ALONE else 1e-10
    torch.testing.assert_close(terms.input_gradient, expected, rtol=tolerance, atol=tolerance)
    assert terms.relative_completeness_error.max() < 1e-10


@pytest.mark.parametrize("name", quick(KEPT, "rows of all samples"))
def test_artifacts_have_them(name: str, tmp_path: Path) -> None:
    model, x = _net(KEPT[name])
    outputs = ("logits", "saliency", "input_gradient", "contributions")
    fgcompile.compile(model, x[:2], outputs=outputs).save(tmp_path / "a.onnx")
    session = fgcompile.load(tmp_path / "a.onnx")
    expected = _differences(model, x) if name in BY_AUTOGRAD_ALONE else _gradient(model, x)
    logits = model.double()(x.double()).detach()
    for count in (1, 2, 5):
        found = session.explain(x[:count].numpy())
        score = torch.as_tensor(found.contributions).sum(1)
        torch.testing.assert_close(torch.as_tensor(found.logits), logits[:count].float(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(score, logits[:count].amax(1).float(), rtol=1e-4, atol=1e-5)
        gradient = torch.as_tensor(found.input_gradient)
        torch.testing.assert_close(gradient, expected[:count].float(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", few(REFUSED, 5))
def test_what_has_no_form_is_refused(name: str) -> None:
    form, words = REFUSED[name]
    model, x = _net(form)
    with pytest.raises(FgcompileError, match=words):
        fgcompile.compile(model, x[:2])
