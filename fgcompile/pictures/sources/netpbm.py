"""PGM and PPM whose maxval is none of Pillow's own: it stretches those number by number, minutes for a large picture.

Binary ones are an array behind the header that Pillow has read: one byte a sample up to maxval 255, then two, the more
significant first (``pgm(5)``, ``ppm(5)``). Those of digits are left to Pillow up to a size.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL.ImageFile import ImageFile

from fgcompile.errors import InputError
from fgcompile.pictures.picture import Limits, Picture

_MOST_NUMBERS = 1 << 20


def is_slow(image: ImageFile) -> bool:
    """Whether Pillow would go through the numbers one by one, and this module has a better way.

    Raises:
        InputError: There is none.
    """
    codec = image.tile[0][0]
    if codec == "ppm_plain" and image.width * image.height * len(image.getbands()) > _MOST_NUMBERS:
        raise InputError(f"a Netpbm file of {image.width} by {image.height} in digits: save it as a binary one, or PNG")
    return codec == "ppm"


def read(image: ImageFile, file: BinaryIO) -> Picture:
    """The samples of a binary file whose header ``image`` has.

    Raises:
        InputError: There are fewer than the header says.
    """
    _, _, offset, arguments = image.tile[0]
    if not isinstance(arguments, tuple):
        raise InputError("a Netpbm file without a maxval: save it again, or as PNG")
    maxval, channels = int(arguments[-1]), len(image.getbands())
    dtype = np.dtype(">u2" if maxval > 255 else "u1")
    size = image.width * image.height * channels * dtype.itemsize
    file.seek(offset)
    content = file.read(size)
    if len(content) < size:
        raise InputError(f"a Netpbm file that is cut short: {len(content)} of {size} bytes of samples are there")
    samples = np.frombuffer(content, dtype).reshape(image.height, image.width, channels)
    return Picture(samples, Limits(0, maxval, stored=maxval == 65535), f"a Netpbm file with maxval {maxval}")
