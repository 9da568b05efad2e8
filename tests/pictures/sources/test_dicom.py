"""DICOM, written byte by byte: stored bits, rescaling, windows and inversion by the standard's equations."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.pictures.files import dicom, png
from fgcompile.errors import InputError, MissingPackageError
from tests.pictures.sources.scene import BYTES, is_scene, read, scene

CENTER, WIDTH, INTERCEPT, SLOPE = (0x28, 0x1050), (0x28, 0x1051), (0x28, 0x1052), (0x28, 0x1053)
PHOTOMETRIC, STORED, HIGH, FUNCTION = (0x28, 4), (0x28, 0x101), (0x28, 0x102), (0x28, 0x1056)
TWELVE = {STORED: ("US", 12), HIGH: ("US", 11)}

needs_pydicom = pytest.mark.skipif(find_spec("pydicom") is None, reason="needs the extra dicom")

SCENES = {
    "8 bits": dicom(BYTES),
    "16 bits": dicom(scene(0, 65535, "u2")),
    "12 bits of 16": dicom(scene(0, 4095, "u2"), TWELVE),
    "12 bits of 16, signed": dicom(scene(-2048, 2047, "i2"), TWELVE),
    "white is zero": dicom(scene(4095, 0, "u2"), {**TWELVE, PHOTOMETRIC: ("CS", "MONOCHROME1")}),
    # LINEAR: black up to 400 - 0.5 - 999.5, white from 400 - 0.5 + 999.5
    "a window": dicom(scene(-600, 1399, "i2"), {CENTER: ("DS", "400"), WIDTH: ("DS", "2000")}),
    "the first of two windows": dicom(scene(-600, 1399, "i2"), {CENTER: ("DS", "400\\40"), WIDTH: ("DS", "2000\\80")}),
    "an exact window": dicom(
        scene(-600, 1400, "i2"), {CENTER: ("DS", "400"), WIDTH: ("DS", "2000"), FUNCTION: ("CS", "LINEAR_EXACT")}
    ),
    "a window of rescaled values": dicom(
        scene(424, 2423, "u2"),
        {**TWELVE, INTERCEPT: ("DS", "-1024"), SLOPE: ("DS", "1"), CENTER: ("DS", "400"), WIDTH: ("DS", "2000")},
    ),
    "rescaled, without a window": dicom(scene(0, 4095, "u2"), {**TWELVE, INTERCEPT: ("DS", "-9"), SLOPE: ("DS", "2")}),
    "a slope below zero": dicom(scene(4095, 0, "u2"), {**TWELVE, INTERCEPT: ("DS", "0"), SLOPE: ("DS", "-0.5")}),
}


@needs_pydicom
@pytest.mark.parametrize("name", SCENES)
def test_the_same_scene_in_any_depth_is_the_same_photo(tmp_path: Path, name: str) -> None:
    assert is_scene(read(SCENES[name], tmp_path))


@needs_pydicom
def test_a_window_is_in_rescaled_units_and_comes_before_the_files(tmp_path: Path) -> None:
    elements = {**TWELVE, INTERCEPT: ("DS", "-1024"), SLOPE: ("DS", "1"), CENTER: ("DS", "9"), WIDTH: ("DS", "3")}
    assert is_scene(read(dicom(scene(424, 2423, "u2"), elements), tmp_path, window=(-600, 1399)))


@needs_pydicom
def test_frames_and_colour(tmp_path: Path) -> None:
    frames = np.stack([np.full_like(BYTES, 9), BYTES])
    assert is_scene(read(dicom(frames), tmp_path, page=2))
    with pytest.raises(InputError, match="it has 2 frames: give page= from 1 to 2"):
        read(dicom(frames), tmp_path, page=3)
    colors = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    assert np.array_equal(read(dicom(colors), tmp_path, channels=3), colors)


@needs_pydicom
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (dicom(scene(0, 4095, "u2")), "leaves its upper bits unused"),
        (dicom(BYTES, {FUNCTION: ("CS", "SIGMOID"), CENTER: ("DS", "9"), WIDTH: ("DS", "3")}), "the function SIGMOID"),
        (dicom(BYTES, {SLOPE: ("DS", "0")}), "rescaled by 0"),
        (dicom(BYTES, {CENTER: ("DS", "5"), WIDTH: ("DS", "-3")}), "black is .* and white"),
        (dicom(BYTES)[:-9], "cannot be read as a picture"),
        (dicom(BYTES, {(0x28, 0x10): ("US", 65535), (0x28, 0x11): ("US", 65535)}), "max_pixels"),
        (dicom(BYTES, deflated=True), "deflated DICOM is not read"),
        (dicom(BYTES)[:400], "cannot be read|without pixels"),
    ],
)
def test_what_is_not_known_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(content, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(find_spec("pydicom") is not None, reason="needs an environment without pydicom")
def test_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPackageError, match=r"/file: DICOM files need pydicom: pip install 'fgcompile\[dicom\]'"):
        read(dicom(BYTES), tmp_path)


def test_other_pictures_do_not_import_pydicom(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(png(BYTES))
    code = (
        "import sys; from pathlib import Path; from fgcompile.pictures.images import read_photo; "
        f"read_photo(Path({str(tmp_path / 'photo.png')!r}), (16, 16, 1)); assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
