"""DICOM, by pydicom: stored values, rescaled to the modality's, in the window that the file has.

PS3.3 C.11.1 and C.11.2: the modality's values are ``m = slope v + intercept``. A window of centre c and width w is
black up to ``c - 1/2 - (w - 1) / 2`` and white from ``c - 1/2 + (w - 1) / 2``, of ``LINEAR_EXACT`` from ``c - w / 2``
to ``c + w / 2``. Where a file has no window, black and white are the least and the largest value of ``BitsStored``
bits. A table takes the place of the first equation (Modality LUT), of the window (VOI LUT), or of both. MONOCHROME1 is
white where values are small.
"""

from __future__ import annotations

import logging
from typing import Any, BinaryIO

import numpy as np

from fgcompile.errors import InputError, MissingPackageError, first_line
from fgcompile.pictures.picture import Limits, Picture
from fgcompile.pictures.reading import Reading
from fgcompile.pictures.sources.dicom_frames import settle
from fgcompile.pictures.sources.dicom_tables import through_table
from fgcompile.pictures.sources.raster import bounded

MAGIC = b"DICM"
"""What follows the first 128 bytes of such a file."""

_GREY = ("MONOCHROME1", "MONOCHROME2")
_PILLOW = "pillow"


def read(file: BinaryIO, shape: tuple[int, int, int], reading: Reading) -> Picture:
    """Reads one frame.

    Raises:
        InputError: It has no pixels, no such frame, or a way from values to grey levels that is not known here.
        MissingPackageError: pydicom is not installed, or what it takes to decompress this file.
    """
    try:
        import pydicom
    except ImportError as error:
        raise MissingPackageError("DICOM files need pydicom: pip install 'fgcompile[dicom]'") from error
    _keep_quiet()
    _require_bounded(file)
    data = pydicom.dcmread(file, stop_before_pixels=True)
    frames = max(1, int(data.get("NumberOfFrames") or 1))
    if "Rows" not in data or "Columns" not in data:
        raise InputError("a DICOM file without pixels")
    if reading.page > frames:
        raise InputError(f"it has {frames} frames: give page= from 1 to {frames}")
    reading.require_size(int(data.Columns), int(data.Rows) * int(data.get("SamplesPerPixel") or 1))
    settle(data, reading.page - 1)
    with bounded(reading):  # what is compressed has a size of its own
        samples = _decode(data, file, reading.page - 1)
    if data.PhotometricInterpretation not in _GREY:
        return _color(data, samples)
    return _grey(data, samples, windowed=reading.window is not None)


def _keep_quiet() -> None:
    """What pydicom says of damaged elements goes to whoever listens to its log, and not to the terminal."""
    log = logging.getLogger("pydicom")
    if not log.handlers:
        log.addHandler(logging.NullHandler())


def _require_bounded(file: BinaryIO) -> None:
    """Passes files that are as long as what they say: pydicom inflates the deflated kind before it looks at sizes."""
    from pydicom.filereader import read_dataset
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    file.seek(len(MAGIC) + 128)
    meta = read_dataset(file, False, True, stop_when=lambda tag, _, __: tag.group != 2)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        raise InputError("deflated DICOM is not read: save it uncompressed")
    file.seek(0)


def _decode(data: Any, file: BinaryIO, frame: int) -> Any:
    from pydicom.pixels import get_decoder, pixel_array

    file.seek(0)
    syntax = data.file_meta.TransferSyntaxUID
    try:
        plugins = get_decoder(syntax).available_plugins if syntax.is_compressed else ()
    except NotImplementedError:
        raise InputError(f"{syntax.name} is not read: save it uncompressed") from None
    if syntax.is_compressed and not plugins:
        raise MissingPackageError(
            f"pydicom cannot decompress {syntax.name}: pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
        )
    try:
        # Pillow bounds what it decompresses; others, which would be tried where it fails, do not.
        return pixel_array(file, index=frame, decoding_plugin=_PILLOW if _PILLOW in plugins else "")
    except (RuntimeError, NotImplementedError) as error:
        raise InputError(f"its pixels cannot be read ({first_line(error)}): save it uncompressed") from error


def _grey(data: Any, stored: Any, windowed: bool) -> Picture:
    inverted, little = data.PhotometricInterpretation == "MONOCHROME1", not _is_big_endian(data)
    signed = int(data.PixelRepresentation) == 1
    rescale = (_number(data, "RescaleSlope", 1.0), _number(data, "RescaleIntercept", 0.0))
    kind, limits = f"a DICOM file of {data.BitsStored} bits", None
    if table := data.get("ModalityLUTSequence"):
        stored, bits = through_table(stored, table[0], little, signed)
        rescale, signed, limits = (1.0, 0.0), False, Limits(0, (1 << bits) - 1, inverted, stored=bits == 16)
    _require_rescale(*rescale)
    if not windowed and (table := data.get("VOILUTSequence")):
        values = _whole(stored, *rescale)
        shown, bits = through_table(values, table[0], little, signed or rescale[1] < 0)
        return Picture(shown[..., np.newaxis], Limits(0, (1 << bits) - 1, inverted), kind)
    if not windowed:
        limits = _window(data, inverted) or limits
    return Picture(stored[..., np.newaxis], limits or _by_depth(data, *rescale, inverted), kind, rescale=rescale)


def _require_rescale(slope: float, intercept: float) -> None:
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        raise InputError(f"its values are rescaled by {slope:g} and {intercept:g}, which leaves none: convert it first")


def _whole(stored: Any, slope: float, intercept: float) -> Any:
    """The modality's values, which a table takes.

    Raises:
        InputError: They are no whole numbers, or too large ones.
    """
    if slope != int(slope) or intercept != int(intercept) or max(abs(slope), abs(intercept)) > 1 << 31:
        raise InputError(
            "its grey levels go through a table (VOI LUT) of rescaled values: give "
            "window=(LOW, HIGH) of fgcompile.read_photos"
        )
    return int(slope) * stored.astype(np.int64) + int(intercept)


def _is_big_endian(data: Any) -> bool:
    return not data.file_meta.TransferSyntaxUID.is_little_endian


def _window(data: Any, inverted: bool) -> Limits | None:
    """The first window that the file has, or None."""
    shape = data.get("VOILUTFunction") or "LINEAR"
    if shape not in ("LINEAR", "LINEAR_EXACT"):
        raise InputError(
            f"its grey levels go through the function {shape}: give black and white, "
            "window=(LOW, HIGH) of fgcompile.read_photos"
        )
    if data.get("WindowCenter") is None or data.get("WindowWidth") is None:
        return None
    center, width = _number(data, "WindowCenter", 0.0), _number(data, "WindowWidth", 0.0)
    if shape == "LINEAR_EXACT":
        return Limits(center - width / 2, center + width / 2, inverted)
    if width == 1:  # a threshold: black below the centre, white from it on
        return Limits(np.nextafter(center - 0.5, -np.inf), center - 0.5, inverted)
    return Limits(center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2, inverted)


def _by_depth(data: Any, slope: float, intercept: float, inverted: bool) -> Limits:
    bits, signed = int(data.BitsStored), int(data.PixelRepresentation) == 1
    least, largest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    ends = sorted((slope * least + intercept, slope * largest + intercept))
    # Of rescaled values a quarter says nothing: 0 lies anywhere among them. BitsStored is then taken at its word.
    return Limits(ends[0], ends[1], inverted, stored=bits == 16 and (slope, intercept) == (1, 0))


def _color(data: Any, samples: Any) -> Picture:
    """Red, green and blue: pydicom has converted YBR already."""
    from pydicom.pixels import apply_color_lut

    if data.PhotometricInterpretation == "PALETTE COLOR":
        samples = apply_color_lut(samples, data)
    if samples.ndim != 3 or samples.shape[2] != 3 or samples.dtype.itemsize > 2:
        raise InputError(f"DICOM of {data.PhotometricInterpretation} is not read: convert it first")
    if samples.dtype == np.uint8:
        return Picture(samples, Limits(0, 255), "a colour DICOM file")
    return Picture(samples, Limits(0, 65535, stored=True), "a colour DICOM file of 16 bits")


def _number(data: Any, name: str, otherwise: float) -> float:
    """A number of the file's, the first where there are several."""
    value = data.get(name)
    if value is None or value == "":
        return otherwise
    return float(value[0] if isinstance(value, list | tuple) or hasattr(value, "append") else value)
