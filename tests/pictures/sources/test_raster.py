"""Colour, transparency, pages and size, against what the formats' definitions say of each pixel."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from benchmarks.pictures.files import png, tiff
from fgcompile.errors import InputError
from tests.pictures.sources.scene import BYTES, is_scene, read

COLORS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
ALPHA = np.random.default_rng(1).integers(0, 256, (16, 16, 1), np.uint8)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def over(colors: np.ndarray, alpha: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    """``α c + (1 - α) b``."""
    share = alpha / 255
    return share * colors + (1 - share) * np.array(background)


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 90)])
@pytest.mark.parametrize("write", [png, lambda samples: tiff(samples, {338: ("H", [2])})], ids=["png", "tiff"])
def test_transparent_colour_lies_on_the_background(tmp_path: Path, write: Any, background: Any) -> None:
    photo = read(write(np.concatenate([COLORS, ALPHA], 2)), tmp_path, channels=3, background=background)
    assert np.abs(photo - over(COLORS, ALPHA, background)).max() <= 1


def test_transparent_grey_lies_on_the_background(tmp_path: Path) -> None:
    photo = read(png(np.concatenate([BYTES, ALPHA], 2)), tmp_path, background=(30, 30, 30))
    assert np.abs(photo - over(BYTES, ALPHA, (30, 30, 30))[..., :1]).max() <= 1


def test_a_transparent_colour_and_a_transparent_palette(tmp_path: Path) -> None:
    keyed = COLORS.copy()
    keyed[3:5] = (1, 2, 3)
    photo = read(png(keyed, [(b"tRNS", struct.pack(">HHH", 1, 2, 3))]), tmp_path, channels=3, background=(9, 99, 199))
    assert (photo[3:5] == (9, 99, 199)).all()
    assert np.array_equal(photo[5:], keyed[5:])
    indices = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16), "P")
    indices.putpalette(bytes(range(256)) * 3)
    photo = read(encoded(indices, "GIF", transparency=7), tmp_path, channels=3, background=(0, 255, 0))
    assert tuple(photo[0, 7]) == (0, 255, 0)


def test_one_bit_and_four_bits(tmp_path: Path) -> None:
    bits = BYTES[..., 0] > 100
    assert np.array_equal(read(encoded(Image.fromarray(bits), "PNG"), tmp_path)[..., 0], 255 * bits)
    row = b"\0" + bytes.fromhex("0123456789abcdef")
    header = struct.pack(">IIBBBBB", 16, 16, 4, 0, 0, 0, 0)
    four = b"\x89PNG\r\n\x1a\n"
    for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(16 * row)), (b"IEND", b"")):
        four += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    assert np.array_equal(read(four, tmp_path)[0, :, 0], 17 * np.arange(16))


@pytest.mark.parametrize("inverted", [False, True])
def test_cmyk_and_the_inverted_cmyk_of_adobe(tmp_path: Path, inverted: bool) -> None:
    """Ink of 100, 0, 0, 0 on a quarter of the paper: red is 255 - 100, and so for the others."""
    ink = np.zeros((16, 16, 4), np.uint8)
    for channel in range(4):
        ink[4 * channel : 4 * channel + 4, :, channel] = 100
    expected = np.full((16, 16, 3), 255)
    for channel in range(3):
        expected[4 * channel : 4 * channel + 4, :, channel] = 155
    expected[12:] = 155
    if inverted:  # as Photoshop writes: full ink is 0, under a marker of Adobe's, which Pillow's encoder writes
        content = encoded(Image.fromarray(ink, "CMYK"), "JPEG", quality=100, subsampling=0)
        assert b"Adobe" in content
    else:
        content = tiff(ink, {262: ("H", [5])})
    assert np.abs(read(content, tmp_path, channels=3).astype(int) - expected).max() <= 4


def test_lab_is_converted(tmp_path: Path) -> None:
    """L* of 0 and 100 with a* = b* = 0 are black and white, of 53.59 is sRGB's 128."""
    lab = np.zeros((16, 16, 3), np.uint8)
    lab[5:10, :, 0] = 137
    lab[10:, :, 0] = 255
    photo = read(tiff(lab, {262: ("H", [8])}), tmp_path, channels=3).astype(int)
    assert np.abs(photo[[0, 7, 12], 0] - [[0] * 3, [128] * 3, [255] * 3]).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bits(tmp_path: Path, orientation: int) -> None:
    """EXIF: 1 is upright; where row and column 0 of the stored picture lie, each of the others says."""
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 1, 7: 3, 8: 3}
    upright = 257 * BYTES.astype("u2")
    stored = np.rot90(upright, turns[orientation])
    if orientation in (2, 4):
        stored = stored[:, ::-1]
    if orientation in (5, 7):
        stored = stored[::-1]
    assert is_scene(read(tiff(np.ascontiguousarray(stored), {274: ("H", [orientation])}), tmp_path))


def test_pages_and_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((16, 16), level, np.uint8)) for level in (10, 20, 30)]
    for format in ("TIFF", "GIF", "PNG", "WEBP"):
        options = {"lossless": True} if format == "WEBP" else {}
        content = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
        assert [int(read(content, tmp_path, page=page).mean()) for page in (1, 2, 3)] == [10, 20, 30], format
        with pytest.raises(InputError, match="it has no page 4"):
            read(content, tmp_path, page=4)


def test_large_pictures_are_refused_by_their_size_alone(tmp_path: Path) -> None:
    content = png(BYTES)
    header = struct.pack(">IIBBBBB", 30_000, 20_000, 8, 0, 0, 0, 0)
    huge = content[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + content[33:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for max_pixels in (2**26, 4 * 10**8):
            with pytest.raises(InputError, match="max_pixels"):
                read(huge, tmp_path, max_pixels=max_pixels)
        with pytest.raises(InputError, match=r"16 by 16 are 256 pixels, more than the 255 .*max_pixels"):
            read(content, tmp_path, max_pixels=255)
    assert is_scene(read(content, tmp_path, max_pixels=256))


def test_pictures_above_pillows_own_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    assert is_scene(read(png(BYTES), tmp_path))
    assert Image.MAX_IMAGE_PIXELS == 50


def test_threads_leave_pillows_bound_as_it_was(tmp_path: Path) -> None:
    before, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    (tmp_path / "file").write_bytes(png(BYTES))
    folders = [tmp_path / str(number) for number in range(8)]
    for folder in folders:
        folder.mkdir()
    threads = [threading.Thread(target=read, args=(png(BYTES), folder)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert before == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters


def test_programs_and_formats_of_unknown_range_are_not_read(tmp_path: Path) -> None:
    for content in (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"SIMPLE  =                    T".ljust(2880),
    ):
        with pytest.raises(InputError, match=r"cannot be read as a picture .it is none of"):
            read(content, tmp_path)


def test_profiles_are_not_applied(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    content = encoded(Image.fromarray(COLORS), "PNG", icc_profile=profile)
    assert np.array_equal(read(content, tmp_path, channels=3), COLORS)


def test_ycbcr_of_jpeg_is_pillows(tmp_path: Path) -> None:
    content = encoded(Image.fromarray(COLORS), "JPEG")
    with JpegImagePlugin.JpegImageFile(io.BytesIO(content)) as image:
        assert np.array_equal(read(content, tmp_path, channels=3), np.asarray(image))
