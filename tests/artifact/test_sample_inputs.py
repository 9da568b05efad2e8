"""Made-up inputs have the dtype and sizes that an artifact takes, are finite, and are the same every time."""

from __future__ import annotations

import numpy as np

from fgcompile.artifact.sample_inputs import make_noise
from fgcompile.artifact.validation import check_inputs
from tests.support.tiny_artifacts import tiny_metadata

INPUTS = [
    {"name": "photo", "dtype": "uint8", "shape": ["batch", "height", "width", 3], "example": [2, 8, 6, 3]},
    {"name": "signal", "dtype": "float32", "shape": ["batch", 2, "16*length"], "example": [2, 2, 32]},
    {"name": "ids", "dtype": "int64", "shape": ["batch", 7]},
    {"name": "mask", "dtype": "bool", "shape": ["batch", 7]},
    {"name": "bias", "dtype": "float32", "shape": [4], "optional": True},
    {"name": "target", "dtype": "int64", "shape": ["batch"]},
]


def test_noise_is_what_the_artifact_takes() -> None:
    metadata = tiny_metadata(inputs=INPUTS)
    noise = make_noise(metadata, 5)
    assert {name: values.shape for name, values in noise.items()} == {
        "photo": (5, 8, 6, 3),
        "signal": (5, 2, 32),
        "ids": (5, 7),
        "mask": (5, 7),
    }
    check_inputs(noise, metadata)
    assert len(np.unique(noise["photo"])) > 100
    assert noise["signal"].std() > 0.5
    assert (noise["ids"] == 1).all()
    assert noise["mask"].all()
    for name, values in make_noise(metadata, 5).items():
        np.testing.assert_array_equal(values, noise[name])
