"""The metadata tell which form each layer's backward took, and why."""

from __future__ import annotations

import torch
from torch import nn

import fgcompile


def test_the_metadata_name_the_form_of_every_backward() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU6(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 8, 3, padding=1),
        nn.ConvTranspose2d(8, 8, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    ).eval()
    lowerings = fgcompile.compile(model, torch.randn(1, 3, 32, 32)).metadata["lowerings"]
    found = {(lowering["operator"], lowering["form"]): lowering for lowering in lowerings}
    convolution, activation, pooling = "convolution, backward", "activation, backward", "max pooling, backward"
    assert found[activation, "product with a mask"]["layers"] == ["4", "1"]
    assert found[pooling, "masks of the first maximum, one axis after the other"]["layers"] == ["2"]
    assert found[convolution, "convolution with the flipped, transposed weight"]["layers"] == ["5"]
    assert found[convolution, "convolution with the same weight"]["layers"] == ["6"]
    assert found[convolution, "one convolution per phase, interleaved"]["layers"] == ["3"]
    stem = found[convolution, "transposed convolution"]
    assert stem["layers"] == ["0"]
    assert stem["reason"].startswith("3 channels")
