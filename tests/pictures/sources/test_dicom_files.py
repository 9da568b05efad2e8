"""DICOM as pydicom writes it: tables, frames that each have their own, and what is compressed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pydicom = pytest.importorskip("pydicom", reason="needs the extra dicom: pip install 'fgcompile[dicom]'")

from pydicom import uid  # noqa: E402

from benchmarks.pictures.dicom import compressed, content, described, group, table  # noqa: E402
from fgcompile.errors import FgcompileError, InputError, MissingPackageError  # noqa: E402
from tests.pictures.sources.scene import BYTES, is_scene, read, scene  # noqa: E402

TWELVE = scene(0, 4095, "u2")


def with_table(name: str, samples: NDArray[Any], entries: NDArray[Any], first: int, bits: int, **more: Any) -> bytes:
    data = described(samples, 12, more.pop("syntax", uid.ExplicitVRLittleEndian))
    order = ">" if data.file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian else "<"
    setattr(data, name, table(entries, first, bits, order))
    for key, value in more.items():
        setattr(data, key, value)
    return content(data)


RAMP = np.rint(np.linspace(0, 255, 4096))
"""From 12 bits to 8, of more than 256 entries."""
TURNED = np.arange(4095, -1, -1)
"""12 bits turned round."""
HALF = np.rint(np.linspace(0, 65535, 2048))

TABLES: dict[str, Callable[[], bytes]] = {
    "of grey levels, to 8 bits": lambda: with_table("VOILUTSequence", TWELVE, RAMP, 0, 8),
    "of grey levels, in big endian": lambda: with_table(
        "VOILUTSequence", TWELVE, RAMP, 0, 8, syntax=uid.ExplicitVRBigEndian
    ),
    "of values, turned": lambda: with_table("ModalityLUTSequence", scene(4095, 0, "u2"), TURNED, 0, 12),
    "before a window": lambda: with_table(
        "ModalityLUTSequence", scene(4095, 0, "u2"), TURNED, 0, 12, WindowCenter="2048", WindowWidth="4096"
    ),
    "from a value below zero on": lambda: with_table("VOILUTSequence", scene(-2048, 2047, "i2"), RAMP, -2048, 8),
    "of part of the values, clipped": lambda: with_table("VOILUTSequence", scene(1000, 3047, "u2"), HALF, 1000, 16),
    "of rescaled values": lambda: with_table(
        "VOILUTSequence", TWELVE, RAMP, -1024, 8, RescaleSlope="1", RescaleIntercept="-1024"
    ),
    "of white that is zero": lambda: with_table(
        "VOILUTSequence", scene(4095, 0, "u2"), RAMP, 0, 8, PhotometricInterpretation="MONOCHROME1"
    ),
    "in place of a window": lambda: with_table("VOILUTSequence", TWELVE, RAMP, 0, 8, WindowCenter="9", WindowWidth="3"),
}


@pytest.mark.parametrize("name", TABLES)
def test_values_go_through_a_table(tmp_path: Path, name: str) -> None:
    assert is_scene(read(TABLES[name](), tmp_path))


def test_a_window_of_the_caller_s_takes_the_place_of_the_table_of_grey_levels(tmp_path: Path) -> None:
    assert is_scene(read(with_table("VOILUTSequence", TWELVE, np.zeros(4096), 0, 8), tmp_path, window=(0, 4095)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"entries": RAMP[:100], "bits": 17}, "entries of 17 bits"),
        ({"entries": RAMP * 2, "bits": 8}, "has not the entries that it says"),
        ({"RescaleSlope": "0.5", "RescaleIntercept": "0"}, "of rescaled values: give window="),
    ],
)
def test_a_table_that_is_not_known_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    given = {"entries": RAMP, "first": 0, "bits": 8, **changed}
    with pytest.raises(InputError, match=message):
        read(with_table("VOILUTSequence", TWELVE, **given), tmp_path)


def test_a_table_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    data = described(TWELVE, 12)
    data.VOILUTSequence = table(RAMP, 0, 8)
    data.VOILUTSequence[0]["LUTDescriptor"].value = [5000, 0, 8]
    with pytest.raises(InputError, match="has not the entries"):
        read(content(data), tmp_path)


def test_each_frame_of_an_enhanced_file_has_its_own_window(tmp_path: Path) -> None:
    data = described(np.stack([scene(100, 1099, "u2"), scene(0, 4095, "u2"), scene(7, 8, "u2")]), 12)
    shared = group(PixelValueTransformationSequence=group(RescaleSlope="1", RescaleIntercept="-100"))
    data.SharedFunctionalGroupsSequence = shared
    frames = [
        group(FrameVOILUTSequence=group(WindowCenter="500", WindowWidth="1000")),
        group(
            PixelValueTransformationSequence=group(RescaleSlope="2", RescaleIntercept="0"),
            FrameVOILUTSequence=group(WindowCenter="4095", WindowWidth="8190", VOILUTFunction="LINEAR_EXACT"),
        ),
    ]
    data.PerFrameFunctionalGroupsSequence = [frame[0] for frame in frames]
    for page in (1, 2):
        assert is_scene(read(content(data), tmp_path, page=page))
    with pytest.raises(InputError, match="how the values of 2 frames are scaled, not of frame 3"):
        read(content(data), tmp_path, page=3)


def by_pillow(samples: NDArray[Any], format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples[..., 0]).save(buffer, format, **options)
    return buffer.getvalue()


def test_run_lengths_are_read(tmp_path: Path) -> None:
    frames = np.stack([TWELVE[::-1], TWELVE])
    data = described(frames, 12)
    data.compress(uid.RLELossless)
    assert is_scene(read(content(data), tmp_path, page=2))


def test_jpeg_2000_is_read(tmp_path: Path) -> None:
    frame = by_pillow(BYTES, "JPEG2000", irreversible=False, no_jp2=True)
    assert is_scene(read(compressed(BYTES, uid.JPEG2000Lossless, [frame]), tmp_path))


def test_jpeg_is_read(tmp_path: Path) -> None:
    frame = by_pillow(BYTES, "JPEG", quality=100)
    assert np.abs(read(compressed(BYTES, uid.JPEGBaseline8Bit, [frame]), tmp_path).astype(int) - BYTES).max() <= 3


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEGLosslessSV1, uid.HTJ2KLossless, uid.MPEG2MPML])
def test_what_takes_other_packages_names_them_and_video_is_refused(tmp_path: Path, syntax: str) -> None:
    with pytest.raises(FgcompileError, match=r"pip install pylibjpeg|MPEG2 .* is not read") as caught:
        read(compressed(TWELVE, syntax, [b"\xff\xd8" + bytes(98)], 12), tmp_path)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, MissingPackageError if syntax != uid.MPEG2MPML else FgcompileError)


def test_what_is_compressed_is_not_larger_than_it_says(tmp_path: Path) -> None:
    frame = by_pillow(np.zeros((9000, 9000, 1), np.uint8), "JPEG2000", no_jp2=True)
    with pytest.raises(InputError, match=r"its pixels cannot be read"):
        read(compressed(BYTES, uid.JPEG2000, [frame]), tmp_path, max_pixels=1 << 20)
