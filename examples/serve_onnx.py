"""Serves an ONNX artifact with numpy, onnxruntime and Pillow alone, fgcompile not installed.

    python serve_onnx.py ARTIFACT.onnx PHOTO

The artifact is one compiled with --mean and --std: it takes the raw photo, uint8 (N, H, W, C).
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

artifact, photo = sys.argv[1:]
session = onnxruntime.InferenceSession(artifact, providers=["CPUExecutionProvider"])
metadata = json.loads(session.get_modelmeta().custom_metadata_map["fgcompile"])
height, width, channels = metadata["inputs"][0]["shape"][1:]

image = ImageOps.fit(Image.open(photo).convert("RGB" if channels == 3 else "L"), (width, height))
x = np.asarray(image, dtype=np.uint8).reshape(1, height, width, channels)
target = np.array([-1], dtype=np.int64)  # -1: explain the predicted class
logits, saliency = session.run(["logits", "saliency"], {metadata["inputs"][0]["name"]: x, "target": target})

predicted = int(logits[0].argmax())
name = metadata["labels"][predicted] if metadata["labels"] else f"class {predicted}"
heat = saliency[0, 0] - saliency.min()
Image.fromarray((255 * heat / heat.max()).astype(np.uint8)).save("saliency.png")
print(f"{name}, score {logits[0, predicted]:.2f}; the map {saliency.shape} is in saliency.png")
