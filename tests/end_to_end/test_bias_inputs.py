"""Bias parameters as inputs of the artifact: by default as trained, others as if the model were compiled with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import InputError
from tests.support.networks import randomised
from tests.support.sweeps import quick

FORMATS = {".onnx": "onnx", ".pt": "torchscript"}


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.plain, self.bn2 = nn.Conv2d(4, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn(self.conv(x)))
        return self.head(torch.relu(self.bn2(self.plain(x))).mean((2, 3)))


@pytest.mark.parametrize("suffix", quick(FORMATS, ".onnx"))
def test_a_new_calibration_without_compiling_again(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = randomised(Network())
    x = torch.randn(3, 3, 8, 8)
    path = tmp_path / f"model{suffix}"
    outputs = ("logits", "saliency", "contributions", "residual")
    fgcompile.compile(model, x, format=FORMATS[suffix], biases="inputs", outputs=outputs).save(path)
    session = fgcompile.load(path)
    names = [spec["name"] for spec in session.metadata["inputs"] if spec.get("optional")]
    assert names == ["bias_conv_bias", "bias_bn", "bias_bn2", "bias_head_bias"]
    assert fgcompile.verify(path, model, x).passed
    trained = session.explain(x.numpy(), 1)
    with torch.no_grad():
        model.bn.running_mean += 0.3
        model.conv.bias -= 0.2
        model.head.bias += 1.0
    bn = model.bn.bias - model.bn.running_mean * model.bn.weight / (model.bn.running_var + model.bn.eps).sqrt()
    biases = {"bias_bn": bn, "bias_conv_bias": model.conv.bias, "bias_head_bias": model.head.bias}
    changed = session.explain(x.numpy(), 1, biases={name: value.detach().numpy() for name, value in biases.items()})
    fgcompile.compile(model, x, format=FORMATS[suffix], outputs=outputs).save(tmp_path / f"again{suffix}")
    expected = fgcompile.load(tmp_path / f"again{suffix}").explain(x.numpy(), 1)
    assert np.abs(changed.logits - trained.logits).max() > 0.1
    np.testing.assert_allclose(changed.logits, expected.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(changed.saliency, expected.saliency, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(changed.contributions, expected.contributions, rtol=1e-3, atol=1e-5)
    assert np.abs(changed.residual).max() < 1e-5


def test_biases_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = randomised(Network()), torch.randn(1, 3, 8, 8)
    fgcompile.compile(model, x, format="torchscript", biases="inputs").save(tmp_path / "inputs.pt")
    fgcompile.compile(model, x, format="torchscript").save(tmp_path / "constants.pt")
    session = fgcompile.load(tmp_path / "inputs.pt")
    for biases, message in (
        ({"bias_of_nothing": np.zeros(4, np.float32)}, "unknown input bias_of_nothing"),
        ({"bias_bn": np.zeros(5, np.float32)}, "axis 0 must be 4, not 5"),
        ({"bias_bn": np.zeros(4)}, "is float64, the artifact takes float32"),
        ({"bias_bn": np.full(4, np.nan, np.float32)}, "NaN or infinite"),
    ):
        with pytest.raises(InputError, match=message):
            session.explain(x.numpy(), biases=biases)
    with pytest.raises(InputError, match="compile it with biases='inputs'"):
        fgcompile.load(tmp_path / "constants.pt").explain(x.numpy(), biases={"bias_bn": np.zeros(4, np.float32)})
