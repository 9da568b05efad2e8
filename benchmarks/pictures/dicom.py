"""DICOM by pydicom: data sets with tables, with groups for each frame, and compressed."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate


def described(samples: NDArray[Any], bits: int | None = None, syntax: str = uid.ExplicitVRLittleEndian) -> Dataset:
    """A data set of ``(H, W, C)``, or of frames ``(F, H, W, 1)``."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel = samples.shape[-3:]
    data.PhotometricInterpretation = "MONOCHROME2" if samples.shape[-1] == 1 else "RGB"
    data.BitsAllocated = 8 * samples.dtype.itemsize
    data.BitsStored, data.HighBit = bits or data.BitsAllocated, (bits or data.BitsAllocated) - 1
    data.PixelRepresentation = int(samples.dtype.kind == "i")
    if samples.shape[-1] > 1:
        data.PlanarConfiguration = 0
    if samples.ndim == 4:
        data.NumberOfFrames = len(samples)
    order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
    data.PixelData = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    data["PixelData"].VR = "OW" if data.BitsAllocated > 8 else "OB"
    return data


def content(data: Dataset) -> bytes:
    """The file of a data set."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


def table(entries: NDArray[Any], first: int, bits: int, order: str = "<") -> list[Dataset]:
    """The sequence of a table (LUT)."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "OW", entries.astype(f"{order}u2").tobytes())
    item.ModalityLUTType = "US"
    return [item]


def group(**elements: Any) -> list[Dataset]:
    """A sequence of one item."""
    item = Dataset()
    item.update(elements)
    return [item]


def compressed(samples: NDArray[Any], syntax: str, frames: list[bytes], bits: int | None = None) -> bytes:
    """A file of frames that are compressed already."""
    data = described(samples, bits)
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = encapsulate(frames)
    return content(data)


def through_a_table(grey: NDArray[np.uint8]) -> bytes:
    """The scene as 12 bits that a table turns into its 8."""
    data = described(16 * grey.astype(np.uint16), 12)
    data.VOILUTSequence = table(np.arange(4096) // 16, 0, 8)
    return content(data)


def with_groups(grey: NDArray[np.uint8]) -> bytes:
    """Two frames, each with a window of its own; the second is the scene."""
    data = described(np.stack([grey, grey + np.uint16(1000)]), 16)
    data.SharedFunctionalGroupsSequence = group(
        PixelValueTransformationSequence=group(RescaleSlope="1", RescaleIntercept="-1000")
    )
    first, second = (
        group(FrameVOILUTSequence=group(WindowCenter=center, WindowWidth="256")) for center in ("-872", "128")
    )
    data.PerFrameFunctionalGroupsSequence = [*first, *second]
    return content(data)


def run_lengths(grey: NDArray[np.uint8]) -> bytes:
    """The scene in DICOM's own compression."""
    data = described(grey)
    data.compress(uid.RLELossless)
    return content(data)


def as_jpeg_2000(grey: NDArray[np.uint8]) -> bytes:
    """The scene in JPEG 2000."""
    buffer = io.BytesIO()
    Image.fromarray(grey[..., 0]).save(buffer, "JPEG2000", irreversible=False, no_jp2=True)
    return compressed(grey, uid.JPEG2000Lossless, [buffer.getvalue()])


def lossless_jpeg(grey: NDArray[np.uint8]) -> bytes:
    """What says that it is lossless JPEG, which takes other packages."""
    return compressed(grey, uid.JPEGLosslessSV1, [b"\xff\xd8" + bytes(98)])
