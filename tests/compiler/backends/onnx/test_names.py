"""What is called as something else of the artifact is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import InputError


class Net(nn.Module):
    def forward(self, logits: Tensor, scale: Tensor) -> Tensor:
        return logits * scale


def test_an_input_called_as_an_output_is_refused_by_name() -> None:
    inputs = {"logits": torch.randn(2, 3), "scale": torch.randn(2, 3)}
    with pytest.raises(InputError, match="an output 'logits', and the model an input of this name"):
        fgcompile.compile(Net().eval(), inputs, target=0, outputs=("logits", "residual"))


def test_a_model_may_return_its_input() -> None:
    artifact = fgcompile.compile(nn.Identity().eval(), torch.randn(2, 3), outputs=("logits", "residual"))
    assert artifact.metadata["sites"] == []
