"""What simplifying a translated graph leaves out changes no value: a small constant is not zero."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from tests.support.networks import Function


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x.abs() + 1e-10).log(),
        lambda x: (x.abs() - -1e-9).sqrt(),
        lambda x: (x.abs() * 1.000005 - x.abs()) * 1e5,
        lambda x: (x.abs() / 0.999995 - x.abs()) * 1e5,
    ],
    ids=["x + 1e-10", "x - -1e-9", "x * 1.000005", "x / 0.999995"],
)
def test_constants_that_are_nearly_neutral_stay(function: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    model, x = Function(function).eval(), torch.tensor([[0.0, 0.5, 1.0]])
    fgcompile.compile(model, x, outputs=("logits", "contributions"), target=0).save(tmp_path / "model.onnx")
    explanation = fgcompile.load(tmp_path / "model.onnx").explain(x.numpy())
    expected = model(x.double())
    # Of 5e-6 beside 1, float32 keeps a digit.
    np.testing.assert_allclose(explanation.logits, expected, rtol=0.2, atol=1e-6)
    assert explanation.contributions is not None
    np.testing.assert_allclose(explanation.contributions.sum(1), expected[:, 0], rtol=1e-5, atol=1e-5)


def test_what_is_neutral_is_left_out(tmp_path: Path) -> None:
    zero, one = nn.Parameter(torch.zeros(())), nn.Parameter(torch.ones(()))
    model = Function(lambda x: (x * one + zero - zero) / one).eval()
    fgcompile.compile(model, torch.randn(1, 3), outputs=("logits",)).save(tmp_path / "model.onnx")
    operators = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert not operators & {"Mul", "Add", "Sub", "Div"}
