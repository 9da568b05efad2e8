"""The classes that ``full_gradient`` takes as a tensor: one that is none would have the score zero."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.biases import FALLBACK, Homogeneous, bias_table
from fgcompile.errors import InputError, VerificationError

MODEL = nn.Linear(3, 4).double().eval()
X = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.tensor([1, 4]), "target 4 is out of range: give a class from 0 to 3"),
        (torch.tensor([-2, 0]), "target -2 is out of range"),
        (torch.tensor([1.5, 1.0]), "a tensor of torch.float32"),
        (torch.tensor([True, False]), "a tensor of torch.bool"),
        (torch.tensor([[1], [2]]), r"target has shape \(2, 1\)"),
        (torch.tensor([1, 2, 3]), r"target has shape \(3,\)"),
    ],
)
def test_a_tensor_that_holds_no_classes_is_refused(target: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fgcompile.full_gradient(MODEL, X, target=target)


@pytest.mark.parametrize("target", [torch.tensor([3, -1]), torch.tensor([3, -1], dtype=torch.int32)])
def test_a_class_for_each_sample(target: Tensor) -> None:
    terms = fgcompile.full_gradient(MODEL, X, target=target)
    classes = torch.stack([torch.tensor(3), MODEL(X)[1].argmax()])
    assert terms.target is not None
    assert terms.target.tolist() == classes.tolist()
    assert torch.allclose(terms.score, MODEL(X)[range(2), classes], rtol=1e-14)
    assert torch.allclose(terms.input_gradient, MODEL.weight[classes], rtol=1e-14)


def test_one_class_for_all() -> None:
    assert torch.allclose(fgcompile.full_gradient(MODEL, X, target=torch.tensor(2)).score, MODEL(X)[:, 2], rtol=1e-14)


def test_terms_that_miss_the_score_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    relu = torch.ops.aten.relu.default
    wrong = replace(FALLBACK, bias=lambda call: Homogeneous(2))  # it is of degree 1
    monkeypatch.setattr("fgcompile.compiler.expose.expose.bias_table", lambda: {**bias_table(), relu: wrong})
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).double().eval()
    with pytest.raises(VerificationError, match="the terms miss the score by"):
        fgcompile.full_gradient(network, torch.randn(2, 4, dtype=torch.float64))
