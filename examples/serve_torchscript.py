"""Serves a TorchScript artifact with torch alone, fgcompile not installed: python serve_torchscript.py ARTIFACT.pt"""

import json
import sys

import torch

files = {"fgcompile.json": ""}
module = torch.jit.load(sys.argv[1], map_location="cpu", _extra_files=files)
metadata = json.loads(files["fgcompile.json"])

spec = metadata["inputs"][0]
shape = [1, *spec["shape"][1:]]  # the batch is free
photo = spec["dtype"] == "uint8"  # compiled with --mean and --std
x = torch.randint(0, 256, shape, dtype=torch.uint8) if photo else torch.randn(shape)
inputs = [x, torch.tensor([-1])] if metadata["target"] == "input" else [x]  # -1: explain the predicted class

with torch.inference_mode():
    outputs = module(*inputs)
for output, value in zip(metadata["outputs"], outputs, strict=True):
    print(f"{output['name']}: {tuple(value.shape)}")
