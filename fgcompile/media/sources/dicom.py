"""DICOM, by pydicom: stored values, rescaled to the modality's, in the window that the file has.

PS3.3 C.11.1 and C.11.2: the modality's values are ``m = slope v + intercept``. A window of centre c and width w is
black up to ``c - 1/2 - (w - 1) / 2`` and white from ``c - 1/2 + (w - 1) / 2``, of ``LINEAR_EXACT`` from ``c - w / 2``
to ``c + w / 2``. Where a file has no window, black and white are the least and the largest value of ``BitsStored``
bits. MONOCHROME1 is white where values are small.
"""

from __future__ import annotations

import logging
from typing import Any, BinaryIO

import numpy as np

from fgcompile.errors import InputError, MissingPackageError, first_line
from fgcompile.media.picture import Limits, Picture
from fgcompile.media.reading import Reading

MAGIC = b"DICM"
"""What follows the first 128 bytes of such a file."""

_GREY = ("MONOCHROME1", "MONOCHROME2")


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
        raise InputError(f"it has {frames} frames: give --page from 1 to {frames}")
    reading.require_size(int(data.Columns), int(data.Rows) * int(data.get("SamplesPerPixel") or 1))
    if "SharedFunctionalGroupsSequence" in data:
        raise InputError("enhanced DICOM, whose values each frame scales in its own way, is not read: convert it first")
    samples = _decode(data, file, reading.page - 1)
    if data.PhotometricInterpretation not in _GREY:
        return _color(data, samples)
    if "ModalityLUTSequence" in data:
        raise InputError("its values go through a table (Modality LUT), which is not read: convert it first")
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
    from pydicom.pixels import pixel_array

    file.seek(0)
    try:
        return pixel_array(file, index=frame)
    except (RuntimeError, NotImplementedError) as error:
        syntax = data.file_meta.TransferSyntaxUID
        if not syntax.is_compressed:
            raise
        raise MissingPackageError(
            f"pydicom cannot decompress {syntax.name} ({first_line(error)}): "
            "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
        ) from error


def _grey(data: Any, stored: Any, windowed: bool) -> Picture:
    slope, intercept = _number(data, "RescaleSlope", 1.0), _number(data, "RescaleIntercept", 0.0)
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        raise InputError(f"its values are rescaled by {slope:g} and {intercept:g}, which leaves none: convert it first")
    inverted = data.PhotometricInterpretation == "MONOCHROME1"
    kind = f"a DICOM file of {data.BitsStored} bits"
    limits = None if windowed else _window(data, inverted)
    if limits is None:
        limits = _by_depth(data, slope, intercept, inverted)
    return Picture(stored[..., np.newaxis], limits, kind, rescale=(slope, intercept))


def _window(data: Any, inverted: bool) -> Limits | None:
    """The first window that the file has, or None."""
    shape = data.get("VOILUTFunction") or "LINEAR"
    if "VOILUTSequence" in data or shape not in ("LINEAR", "LINEAR_EXACT"):
        how = "a table (VOI LUT)" if "VOILUTSequence" in data else f"the function {shape}"
        raise InputError(f"its grey levels go through {how}: give black and white, --window LOW,HIGH")
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
