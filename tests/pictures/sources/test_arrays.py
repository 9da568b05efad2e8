"""Arrays of the artifact's own shape."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fgcompile.errors import InputError
from fgcompile.pictures.images import read_photo
from tests.pictures.sources.scene import BYTES, is_scene, read, scene


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (BYTES, {}),
        (BYTES[..., 0], {}),
        (np.asfortranarray(BYTES), {}),
        (scene(0, 65535, "u2"), {}),
        (scene(0, 65535, ">u2"), {}),
        (scene(0, 4095, "u2"), {"window": (0, 4095)}),
        (scene(-1, 1, "f4"), {"window": (-1, 1)}),
        (scene(-1, 1, "f2"), {"window": (-1, 1)}),
        (scene(0, 10**6, "i8"), {"window": (0, 10**6)}),
    ],
)
def test_arrays_in_any_depth(tmp_path: Path, array: Any, options: Any) -> None:
    assert is_scene(read(npy(array), tmp_path, **options))


def test_any_number_of_channels(tmp_path: Path) -> None:
    bands = np.random.default_rng(0).integers(0, 256, (8, 9, 13), np.uint8)
    np.save(tmp_path / "bands.npy", bands)
    assert np.array_equal(read_photo(tmp_path / "bands.npy", (8, 9, 13)), bands)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(BYTES[:8]), r"shape \(8, 16, 1\), and this artifact takes \(16, 16, 1\)"),
        (npy(scene(0, 1, "f4")), "does not say which of its values are black and white"),
        (npy(scene(0, 4095, "u2")), "leaves its upper bits unused"),
        (npy(scene(0, 1, "c8")), "give real numbers"),
        (npy(np.full((16, 16, 1), None), allow_pickle=True), "give real numbers"),
        (npy(BYTES)[:200], "cannot be read"),
        (npy(BYTES)[:7], "cannot be read"),
        (npy(BYTES).replace(b"(16, 16, 1)", b"(1<<60,9,1)"), "cannot be read"),
        (b"\x93NUMPY\x03\x00" + npy(BYTES)[8:], "cannot be read|versions"),
        (pickle.dumps(BYTES), "it is none of"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(content, tmp_path)


def test_pictures_have_one_or_three_channels(tmp_path: Path) -> None:
    from benchmarks.pictures.files import png

    with pytest.raises(InputError, match=r"takes 5 channels, which come as an array of shape \(16, 16, 5\)"):
        read(png(BYTES), tmp_path, channels=5)
