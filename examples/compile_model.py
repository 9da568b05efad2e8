"""Compiles a network of one's own from Python, and explains an input with it: python examples/compile_model.py"""

import numpy as np
import torch
from torch import nn

import fgcompile


class Block(nn.Module):
    """Two convolutions and what they leave unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.second(torch.relu(self.norm(self.first(x)))))


torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1),
    nn.SiLU(),
    Block(16),
    nn.MaxPool2d(2),
    Block(16),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(16, 10),
).eval()  # load_state_dict your weights here
x = torch.randn(2, 3, 64, 64)

artifact = fgcompile.compile(model, x, outputs=("logits", "saliency", "contributions", "residual"))
artifact.save("model.onnx")

session = fgcompile.load("model.onnx")
explanation = session.explain(x.numpy(), target=[3, -1])  # class 3 of the first, the predicted one of the second
print("classes", explanation.target, "logits", explanation.logits.shape, "map", explanation.saliency.shape)
for site in session.metadata["sites"]:
    print(f"  {site['name']:12} {site['kind']:14} {', '.join(term['name'] for term in site['terms'])}")
scores = np.take_along_axis(explanation.logits, explanation.target[:, None], axis=1)[:, 0]
print("score", scores, "= sum of the contributions", explanation.contributions.sum(axis=1))

report = fgcompile.verify("model.onnx", model, x)
print("verified" if report.passed else f"failed: {report}")
