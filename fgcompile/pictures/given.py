"""Pictures where arrays are expected: files and pictures of Pillow's become the photos that an artifact takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.fitting import fit_of
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.questions import shown
from fgcompile.artifact.validation import has_pictures, input_specs, is_picture
from fgcompile.errors import InputError
from fgcompile.pictures.images import photo_shape, read_photo
from fgcompile.pictures.reading import DEFAULT, Reading


def photos_of(pictures: Any, metadata: Metadata, reading: Reading = DEFAULT) -> NDArray[np.uint8]:
    """Pictures as an artifact takes them, uint8 ``(N, H, W, C)``.

    Args:
        pictures: One, or a list or tuple of them: the path of a file, or a picture of Pillow's.
        metadata: The artifact's.
        reading: What they do not say by themselves.

    Raises:
        InputError: The artifact takes no photos; one cannot be read as a picture, or does not say which of its values
            are black and white.
        MissingPackageError: One takes a package that is not installed.
    """
    several = pictures if isinstance(pictures, list | tuple) else [pictures]
    shape, fit = photo_shape(metadata, alone=False), fit_of(metadata["preprocess"])
    if not several:
        raise InputError("no photos are given: give the path of one, or several")
    for each in several:
        if not is_picture(each):
            raise InputError(f"a photo is {shown(each)}: give the path of a file, or a picture of Pillow's")
    sources = [Path(each) if isinstance(each, str | os.PathLike) else each for each in several]
    return np.stack([read_photo(source, shape, reading, fit) for source in sources])


def with_photos(x: Any, metadata: Metadata) -> Any:
    """What a caller gives that has pictures, with photos in their place; other values by name as they are.

    Raises:
        InputError: As ``photos_of``.
        MissingPackageError: As there.
    """
    if isinstance(x, Mapping):
        photo = input_specs(metadata)[0]["name"]
        if metadata["preprocess"] is None:
            photo_shape(metadata)  # which says what the artifact takes
        return {**x, photo: photos_of(x[photo], metadata)} if photo in x and has_pictures(x[photo]) else x
    photo_shape(metadata)  # alone
    return photos_of(x, metadata)
