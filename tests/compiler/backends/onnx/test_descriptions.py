"""What a viewer shows of an artifact beside the metadata that programs read."""

from __future__ import annotations

import onnx
import torch
from torch import nn

import fgcompile
from fgcompile.artifact.names import METADATA_KEY

OUTPUTS = ("logits", "saliency", "contributions", "residual", "bias_gradients")


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.relu())


def test_the_model_its_ends_and_its_settings_are_in_words() -> None:
    torch.manual_seed(0)
    artifact = fgcompile.compile(Tagger().eval(), torch.randn(2, 6, 4), outputs=OUTPUTS, targets=2)
    model = onnx.load_from_string(artifact.content)
    assert model.graph.name == "Tagger"
    assert model.producer_name == "fgcompile"
    assert model.doc_string.startswith("Tagger: prediction and FullGrad explanation")
    shown = {entry.key: entry.value for entry in model.metadata_props}
    assert shown[f"{METADATA_KEY}.rules"] == artifact.metadata["rules"] == "taylor"
    assert float(shown[f"{METADATA_KEY}.completeness"]) < 1e-12
    assert {key for key in shown if key.startswith(f"{METADATA_KEY}.")} >= {
        f"{METADATA_KEY}.{name}" for name in ("target", "method", "psi", "digest")
    }
    words = {value.name: value.doc_string for value in (*model.graph.input, *model.graph.output)}
    assert words["target"].startswith("what to explain, 2 at once: ")
    assert words["logits"] == "what the model returns"
    assert all(words[name] for name in words if name != "x")
