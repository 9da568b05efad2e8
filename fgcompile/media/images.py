"""Photos as artifacts take them: uint8, channels last, cropped to size.

A file goes through three hands: ``sources`` make a ``Picture`` of it, its samples with what the file says of them;
``scale`` makes bytes of those; here they are laid on a background, resized and cropped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.artifact.fitting import Fit
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.validation import input_specs
from fgcompile.errors import InputError
from fgcompile.media.fitting import fit_image
from fgcompile.media.reading import DEFAULT, Reading
from fgcompile.media.scale import to_uint8
from fgcompile.media.sources import read_picture
from fgcompile.system.text import visible

_MODES = {1: "L", 3: "RGB"}


def photo_shape(metadata: Metadata) -> tuple[int, int, int]:
    """Returns the ``(H, W, C)`` of the photos that an artifact takes; of any C but 1 and 3 they are arrays.

    Raises:
        InputError: The artifact takes something other than one raw photo.
    """
    inputs = input_specs(metadata)
    shape = inputs[0].get("example", inputs[0]["shape"])[1:]
    if metadata["preprocess"] is not None and len(inputs) > 1:
        others = ", ".join(spec["name"] for spec in inputs[1:])
        raise InputError(
            f"this artifact takes {others} beside the photo, which no picture file says: use session.explain in Python"
        )
    if metadata["preprocess"] is None or len(shape) != 3:
        raise InputError(
            "this artifact takes prepared arrays, not photos: compile it with --mean and --std "
            "(the normalisation it was trained with) to explain photos, or use session.explain in Python"
        )
    height, width, channels = (int(size) for size in shape)
    return height, width, channels


def read_photo(
    path: Path, shape: tuple[int, int, int], reading: Reading = DEFAULT, fit: Fit | None = None
) -> NDArray[np.uint8]:
    """Reads a photo, turns it upright, scales it to bytes, lays it on the background and fits it to ``shape``.

    Without ``fit`` a photo of exactly this size is taken as it is, and any other resized (bicubic) and cropped about
    its centre so that 224/256 of its short side remain, as in the evaluation of ImageNet classifiers.

    Args:
        path: A picture file, DICOM, or ``.npy`` with an array of exactly this shape.
        shape: ``(H, W, C)`` with C = 3 (RGB) or 1 (grey), or any other C for ``.npy`` alone.
        reading: What the file does not say by itself.
        fit: What the artifact says of it (``fgcompile.artifact.fitting.fit_of``), which ``reading.fit`` goes before.

    Returns:
        uint8 of that shape.

    Raises:
        InputError: The file cannot be read as a picture, or does not say which of its values are black and white.
        MissingPackageError: It takes a package that is not installed.
    """
    picture = read_picture(path, shape, reading)
    try:
        samples = to_uint8(picture, reading.window)
    except InputError as error:
        raise InputError(f"{visible(str(path))}: {error}") from error
    chosen = (fit or Fit()).instead(reading.fit)
    if samples.shape == shape and picture.alpha is None and (chosen.resize is None or picture.prepared):
        return samples
    height, width, channels = shape
    image = _flatten(samples, picture.alpha, reading.background)
    if image.mode != _MODES[channels]:
        image = image.convert(_MODES[channels])
    try:
        image = fit_image(image, (height, width), chosen, reading.max_pixels)
    except InputError as error:
        raise InputError(f"{visible(str(path))}: {error}") from error
    return np.asarray(image, dtype=np.uint8).reshape(height, width, channels)


def _flatten(
    samples: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, background: tuple[int, int, int]
) -> Image.Image:
    """Grey or colour, over the background where that shows through."""
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if alpha is None:
        return image
    below = Image.new("RGB", image.size, background)
    below.paste(image.convert("RGB"), mask=Image.fromarray(alpha))
    return below
