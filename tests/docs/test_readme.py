"""What the README shows runs as it is printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

import fgcompile
from tests.docs.test_paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SCREEN = README.partition("\n## ")[0]


@pytest.mark.slow
def test_the_first_screens_commands_run_as_printed(tmp_path: Path) -> None:
    commands = [line.partition("  #")[0].strip() for line in re.findall(r"^    (.*)$", FIRST_SCREEN, re.MULTILINE)]
    assert commands[0].startswith("pip install")
    assert len(commands) == 4
    for command in commands[1:]:
        program, *arguments = shlex.split(command)
        assert program == "fgcompile"
        words = [str(path) for each in arguments for path in (sorted(tmp_path.glob(each)) if "*" in each else [each])]
        subprocess.run([sys.executable, "-m", "fgcompile", *words], cwd=tmp_path, check=True)
    assert (tmp_path / "demo" / "index.html").is_file()
    assert len(list((tmp_path / "explained").glob("*.png"))) == 3


@pytest.mark.filterwarnings("ignore")
def test_the_blocks_of_python_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = torch.rand(1, 3, 8, 8)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).eval()
    names: dict[str, Any] = {"model": model, "example_inputs": x, "x": x, "np": np, "onnxruntime": onnxruntime}
    preprocess = fgcompile.Preprocess(mean=(0.5,) * 3, std=(0.25,) * 3)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 3
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)).save("photo.jpg")
    exec(blocks[0], {})
    assert Image.open("explained.png").width >= 224
    exec(blocks[1], names)
    assert names["report"].passed
    assert names["explanation"].saliency.shape == (1, 1, 8, 8)
    assert names["terms"].relative_completeness_error.max() < 1e-12
    # What is served takes a raw photo.
    fgcompile.compile(model.float(), x, preprocess=preprocess).save("model.onnx")
    names["photo"] = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    exec(blocks[2], names)
    expected = fgcompile.load("model.onnx").explain(names["photo"])
    np.testing.assert_array_equal(names["logits"], expected.logits)
    np.testing.assert_array_equal(names["saliency"], expected.saliency)
