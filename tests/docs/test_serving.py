"""The page on serving makes a request of a photo, for curl, which a server answers as the session does."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fgcompile
from tests.docs.test_paths import ROOT
from tests.serving.served import served

PAGE = ROOT / "docs" / "serving.md"


def test_the_request_for_curl_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2)).eval()
    preprocess = fgcompile.Preprocess((0.5,) * 3, (0.25,) * 3)
    fgcompile.compile(model, torch.zeros(2, 3, 8, 8), preprocess=preprocess).save("resnet18.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    Image.fromarray(pixels).save("photo.jpg")
    (commands,) = (
        block for block in re.findall(r"```bash\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if "curl" in block
    )
    (program,) = re.findall(r'python -c "\n(.*?)" > request.json', commands, re.DOTALL)
    (asked,) = (line for line in commands.splitlines() if line.startswith("curl"))
    request = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    path = shlex.split(asked)[2].partition("/")[2]
    with served.serving(Path("resnet18.onnx"), tmp_path / "log") as server:
        sent = urllib.request.Request(f"http://{server.rest}/{path}", request.stdout)
        with urllib.request.urlopen(sent, timeout=30) as answer:
            outputs = {one["name"]: one for one in json.load(answer)["outputs"]}
    session = fgcompile.load("resnet18.onnx")
    expected = session.explain(fgcompile.read_photos(session, "photo.jpg"))
    for name, value in (("logits", expected.logits), ("saliency", expected.saliency)):
        assert outputs[name]["shape"] == list(np.shape(value))
        np.testing.assert_allclose(np.ravel(outputs[name]["data"]), np.ravel(value), rtol=1e-6)
