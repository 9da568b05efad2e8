"""Photos as artifacts take them: uint8, channels last, cropped to size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.validation import input_specs
from fgcompile.errors import InputError

_MODES = {1: "L", 3: "RGB"}
# Of the short side, 224 of 256 parts are kept: the usual evaluation crop of ImageNet.
_MARGIN = (1 - 224 / 256) / 2


def photo_shape(metadata: Metadata) -> tuple[int, int, int]:
    """Returns the ``(H, W, C)`` of the photos that an artifact takes.

    Raises:
        InputError: The artifact takes something other than one raw photo.
    """
    inputs = input_specs(metadata)
    shape = inputs[0].get("example", inputs[0]["shape"])[1:]
    if metadata["preprocess"] is None or len(inputs) != 1 or len(shape) != 3 or shape[2] not in _MODES:
        raise InputError(
            "this artifact takes prepared arrays, not photos: compile it with --mean and --std "
            "(the normalisation it was trained with) to explain photos, or use session.explain in Python"
        )
    height, width, channels = (int(size) for size in shape)
    return height, width, channels


def read_photo(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Reads a photo, turns it upright and crops it to ``shape``.

    A photo of exactly this size is taken as it is. Any other is resized (bicubic) and cropped about its centre so
    that 224/256 of its short side remain, as in the evaluation of ImageNet classifiers.

    Args:
        path: Any format that Pillow reads.
        shape: ``(H, W, C)`` with C = 3 (RGB) or 1 (grey).

    Returns:
        uint8 of that shape.

    Raises:
        InputError: The file cannot be read as a picture.
    """
    height, width, channels = shape
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert(_MODES[channels])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # Pillow's decoders raise what they like on a damaged file
        raise InputError(
            f"{path} cannot be read as a picture ({error}): give a complete image file, e.g. JPEG or PNG"
        ) from error
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC, bleed=_MARGIN)
    return np.asarray(image, dtype=np.uint8).reshape(height, width, channels)
