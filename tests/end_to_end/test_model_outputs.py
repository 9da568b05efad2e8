"""What a model returns beside its logits comes along under its own names, in every format, explained or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.artifact.names import SUFFIXES
from fgcompile.compiler.request import Format
from fgcompile.errors import InputError
from tests.support.sweeps import crossed


class Detector(nn.Module):
    """Classes, boxes, the class that is largest, and a pair of features."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.classes, self.boxes = nn.Conv2d(3, 4, 3), nn.Linear(4, 5), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor | tuple[Tensor, Tensor]]:
        pooled = self.features(x).relu().mean((2, 3))
        logits = self.classes(pooled)
        return {
            "logits": logits,
            "boxes": self.boxes(pooled),
            "top": logits.argmax(1),
            "features": (pooled, 2 * pooled),
        }


@pytest.mark.parametrize(("on_demand", "format"), crossed([False, True], ["onnx", "torchscript", "pt2"]))
def test_other_outputs_have_their_names(tmp_path: Path, format: Format, on_demand: bool) -> None:
    torch.manual_seed(0)
    model, x = Detector().eval(), torch.randn(3, 3, 8, 8)
    outputs = ("logits", "saliency", "model")
    artifact = fgcompile.compile(model, x, format=format, outputs=outputs, on_demand=on_demand)
    path = tmp_path / f"artifact{SUFFIXES[format]}"
    artifact.save(path)
    session = fgcompile.load(path)
    explanation = session.explain(x.numpy())
    with torch.no_grad():
        expected = model(x)
    assert list(explanation.outputs) == ["boxes", "top", "features.0", "features.1"]
    np.testing.assert_allclose(explanation.outputs["boxes"], expected["boxes"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(explanation.outputs["top"], expected["top"])
    np.testing.assert_allclose(explanation.outputs["features.1"], expected["features"][1], rtol=1e-5, atol=1e-6)
    if on_demand:
        feeds = {"x": x.numpy(), "target": np.zeros(3, np.int64), "explain": np.array(False)}
        prediction = session.run(feeds)
        np.testing.assert_allclose(prediction["boxes"], expected["boxes"], rtol=1e-5, atol=1e-6)
        assert prediction["saliency"].size == 0
    assert fgcompile.verify(path, model, x).passed


def test_a_model_of_logits_alone_has_no_others() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    with pytest.raises(InputError, match="returns nothing beside its logits"):
        fgcompile.compile(model, torch.zeros(1, 3, 4), outputs=("logits", "model"))
