"""Where the page and the Node.js example place an artifact's picture is where the command does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgcompile.artifact.fitting import Fit, resized
from fgcompile.pictures.fitting import fit_image

FILE = Path(__file__).parents[2] / "fgcompile" / "page" / "site" / "fit.js"
FITS = [
    *[Fit("crop", (48, 48)), Fit("crop", (48, 48), rounding="down"), Fit("crop", (40, 60)), Fit("crop", (24, 24))],
    *[Fit("squash"), Fit("squash", (51, 61)), Fit("letterbox", fill=(9, 8, 7)), Fit("letterbox", (20, 30))],
]
SIZES = [(151, 90), (90, 151), (64, 64), (33, 20), (41, 300)]
SHAPE = (32, 41)


def test_the_same_part_of_the_same_size() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js")
    asked = [[{"width": w, "height": h}, SHAPE, fit.as_dict()] for fit in FITS for w, h in SIZES]
    program = (
        f"import {{ place }} from {json.dumps(FILE.as_uri())};"
        f"console.log(JSON.stringify({json.dumps(asked)}.map((each) => place(...each))));"
    )
    done = subprocess.run([node, "--input-type=module", "-e", program], capture_output=True, text=True, check=True)
    for placed, (size, _, spec) in zip(json.loads(done.stdout), asked, strict=True):
        fit = Fit(**{**spec, **{key: tuple(spec[key]) for key in ("resize", "fill") if key in spec}})
        width, height = size["width"], size["height"]
        to = resized((width, height), fit, fit.resize or SHAPE)
        assert (placed["width"], placed["height"]) == to
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))
        scaled = np.asarray(image.resize(to, Image.Resampling.BICUBIC))
        canvas = np.tile(np.array(placed["fill"], np.uint8), (*SHAPE, 1))
        for y in range(SHAPE[0]):
            for x in range(SHAPE[1]):
                row, column = y + placed["top"], x + placed["left"]
                if 0 <= row < to[1] and 0 <= column < to[0]:
                    canvas[y, x] = scaled[row, column]
        np.testing.assert_array_equal(canvas, np.asarray(fit_image(image, SHAPE, fit, 2**26)))
