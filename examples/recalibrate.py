"""Changes a BatchNorm's calibration at run time, without compiling again: python examples/recalibrate.py

A network that was calibrated on one camera sees the pictures of another, whose black is not as black. Its BatchNorm's bias,
β − μ γ/√(σ² + ε), is an input of the artifact, so the mean μ of the new pictures can be put in its place.
"""

import numpy as np
import torch
from torch import nn

import fgcompile

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, bias=False),
    nn.BatchNorm2d(16, momentum=None),  # the average over all that it saw
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(16, 10),
)
pictures = torch.rand(64, 3, 32, 32)
model(pictures)  # calibrates the statistics; load_state_dict your weights here instead
model.eval()

fgcompile.compile(model, pictures[:1], biases="inputs").save("recalibrated.onnx")
session = fgcompile.load("recalibrated.onnx")
print("optional inputs:", [spec["name"] for spec in session.metadata["inputs"] if spec.get("optional")])

brighter = pictures + 0.3
convolution, norm = model[0], model[1]
with torch.no_grad():
    mean = convolution(brighter).mean((0, 2, 3))
    bias = norm.bias - mean * norm.weight / (norm.running_var + norm.eps).sqrt()

trained = session.explain(brighter.numpy())
adapted = session.explain(brighter.numpy(), biases={"bias_1": bias.numpy()})
reference = session.explain(pictures.numpy())
for name, explanation in (("as trained", trained), ("recalibrated", adapted)):
    change = np.abs(explanation.logits - reference.logits).mean()
    print(f"{name:13} logits differ from those of the first camera's pictures by {change:.1e} on average")
