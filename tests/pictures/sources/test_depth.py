"""More than 8 bits: files written byte by byte, whose black and white are known."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.pictures.files import pgm, png, tiff
from fgcompile.errors import InputError
from tests.pictures.sources.scene import BYTES, is_scene, read, scene

SIXTEEN, TWELVE = scene(0, 65535, "u2"), scene(0, 4095, "u2")

SCENES = {
    "png, 8 bits": png(BYTES),
    "png, 16 bits": png(SIXTEEN),
    "png, 12 bits of 16, shifted up": png((TWELVE << 4) | (TWELVE >> 8), [(b"sBIT", b"\x0c")]),
    "png, 12 bits of 16, not shifted": png(TWELVE, [(b"gAMA", b"\0\0\xb1\x8f"), (b"sBIT", b"\x0c")]),
    "tiff, 16 bits": tiff(SIXTEEN),
    "tiff, 16 bits, big endian": tiff(SIXTEEN, order=">"),
    "tiff, white is zero": tiff(65535 - SIXTEEN, {262: ("H", [0])}),
    "tiff, 16 bits signed": tiff(scene(-32768, 32767, "i2")),
    "tiff, MaxSampleValue": tiff(TWELVE, {281: ("H", [4095])}),
    "tiff, MinSampleValue and MaxSampleValue": tiff(scene(100, 700, "u2"), {280: ("H", [100]), 281: ("H", [700])}),
    "tiff, SMaxSampleValue": tiff(TWELVE, {341: ("H", [4095])}),
    "tiff, floats": tiff(scene(-2, 3, "f4"), {340: ("f", [-2.0]), 341: ("f", [3.0])}),
    "tiff, 32 bits unsigned": tiff(scene(0, 2**32 - 1, "u4"), {280: ("I", [0]), 281: ("I", [2**32 - 1])}),
    "tiff, 32 bits signed": tiff(scene(-1000, 1000, "i4"), {340: ("i", [-1000]), 341: ("i", [1000])}),
    "pgm, maxval 4095": pgm(TWELVE, 4095),
    "pgm, maxval 1000": pgm(scene(0, 1000, "u2"), 1000),
    "pgm, maxval 65535": pgm(SIXTEEN, 65535),
    "pgm, maxval 4095, of digits": b"P2 16 16 4095\n" + b" ".join(b"%d" % value for value in TWELVE.ravel()),
    "pgm, maxval 100": pgm(scene(0, 100, "u2"), 100),
}

WINDOWS: dict[str, tuple[bytes, tuple[float, float]]] = {
    "tiff, floats": (tiff(scene(-0.5, 2, "f4")), (-0.5, 2)),
    "tiff, 12 bits of 16": (tiff(TWELVE), (0, 4095)),
    "tiff, 32 bits": (tiff(scene(1e6, 3e6, "i4")), (1e6, 3e6)),
    "tiff, 32 bits unsigned": (tiff(scene(3e9, 4e9, "u4")), (3e9, 4e9)),
    "tiff, in place of what it says": (tiff(scene(100, 3000, "u2"), {281: ("H", [4095])}), (100, 3000)),
    "tiff, white is zero": (tiff(scene(4095, 0, "u2"), {262: ("H", [0])}), (0, 4095)),
    "pgm, in units of its maxval": (pgm(scene(100, 900, "u2"), 1000), (100, 900)),
    "png, 8 bits": (png(scene(50, 200, "u1")), (50, 200)),
}

REFUSED: dict[str, tuple[bytes, str]] = {
    "tiff, floats": (tiff(scene(0, 1, "f4")), "32-bit floats does not say which of its values are black and white"),
    "tiff, 32 bits": (tiff(scene(0, 4095, "i4")), "32-bit integers does not say"),
    "tiff, 32 bits unsigned": (tiff(scene(0, 4095, "u4")), "32-bit integers does not say"),
    "tiff, 12 bits of 16": (tiff(TWELVE), r"leaves its upper bits unused.*window=\(0, 4095\)"),
    "tiff, signed, of few bits": (tiff(scene(-1000, 1000, "i2")), "leaves its upper bits unused"),
    "png, 12 bits of 16": (png(TWELVE), r"leaves its upper bits unused.*window=\(0, 4095\).*window=\(0, 65535\)"),
    "png, colour, 12 bits of 16": (png(np.repeat(TWELVE, 3, 2)), "leaves its upper bits unused.*8 bits"),
    "tiff, nothing between": (tiff(SIXTEEN, {280: ("H", [9]), 281: ("H", [9])}), "black is 9 and white 9"),
    "tiff, a NaN for white": (tiff(scene(0, 1, "f4"), {341: ("f", [float("nan")])}), "white nan"),
    "tiff, 8 bits signed": (tiff(scene(-128, 127, "i1")), "signed 8-bit"),
    "tiff, colour with a white of its own": (
        tiff(np.repeat(TWELVE, 3, 2), {281: ("H", [4095] * 3)}),
        "whose white is 4095 is not read",
    ),
    "tiff, a pixel that is NaN": (
        tiff(np.where(BYTES == 9, np.nan, scene(0, 1, "f4")).astype("f4"), {341: ("f", [1.0])}),
        "NaN or infinite",
    ),
    "tiff, five bands": (tiff(np.repeat(BYTES, 5, 2), {262: ("H", [1]), 338: ("H", [0] * 4)}), "many bands.*npy"),
    "pfm": (b"Pf\n16 16\n-1.0\n" + scene(0, 1, "f4").tobytes(), "floats does not say"),
}


@pytest.mark.parametrize("name", SCENES)
def test_the_same_scene_in_any_depth_is_the_same_photo(tmp_path: Path, name: str) -> None:
    assert is_scene(read(SCENES[name], tmp_path))


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_says_what_is_black_and_white(tmp_path: Path, name: str) -> None:
    content, window = WINDOWS[name]
    assert is_scene(read(content, tmp_path, window=window))


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_say_its_range_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, message = REFUSED[name]
    with pytest.raises(InputError, match=message) as caught:
        read(content, tmp_path)
    assert "\n" not in str(caught.value)
    assert "/file" in str(caught.value)


@pytest.mark.parametrize("maxval", [100, 255, 1000, 65535])
def test_colour_of_any_maxval(tmp_path: Path, maxval: int) -> None:
    colors = np.random.default_rng(0).integers(0, maxval + 1, (16, 16, 3))
    content = f"P6 16 16 {maxval}\n".encode() + colors.astype(">u2" if maxval > 255 else "u1").tobytes()
    photo = read(content, tmp_path, channels=3)
    assert np.abs(photo - colors * (255 / maxval)).max() <= 0.5 + 1e-9


def test_large_pixmaps_are_read_in_a_moment_or_refused(tmp_path: Path) -> None:
    start = time.monotonic()
    assert read(b"P5 4000 4000 4095\n" + b"\x08\0" * 4000**2, tmp_path).max() == 128
    with pytest.raises(InputError, match="save it as a binary"):
        read(b"P2 4000 4000 4095\n" + b"9 " * 4000**2, tmp_path)
    assert time.monotonic() - start < 20
    with pytest.raises(InputError, match="cut short"):
        read(b"P5 4000 4000 4095\n" + bytes(999), tmp_path)


@pytest.mark.parametrize("write", [png, tiff])
def test_colour_of_16_bits_is_its_upper_8(tmp_path: Path, write: Any) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint16)
    assert np.array_equal(read(write(257 * colors), tmp_path, channels=3), colors)
    with pytest.raises(InputError, match="which no window fits"):
        read(write(257 * colors), tmp_path, channels=3, window=(0, 4095))


def test_a_window_of_deeper_files_does_not_make_bytes_black(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a PNG has 8 bits, no values up to 4095: read it without the window"):
        read(png(BYTES), tmp_path, window=(0, 4095))


def test_a_dark_picture_of_8_bits_stays_dark(tmp_path: Path) -> None:
    assert read(png(BYTES // 16), tmp_path).max() == 15
    assert read(png(SIXTEEN * 0), tmp_path).max() == 0


def test_a_transparent_grey_of_16_bits(tmp_path: Path) -> None:
    samples = SIXTEEN.copy()
    samples[0, :4] = 777
    photo = read(png(samples, [(b"tRNS", struct.pack(">H", 777))]), tmp_path, background=(200, 200, 200))
    assert (photo[0, :4] == 200).all()
    assert is_scene(np.concatenate([BYTES[:1], photo[1:]]))
