"""Photos from files as one array, for ``Session.explain`` in Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from fgcompile.artifact.questions import shown
from fgcompile.errors import InputError
from fgcompile.pictures.given import photos_of
from fgcompile.pictures.reading import MAX_PIXELS, Reading
from fgcompile.runtime import Session


def read_photos(
    session: Session,
    paths: str | Path | Image | Sequence[str | Path | Image],
    fit: str | None = None,
    window: tuple[float, float] | None = None,
    page: int = 1,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.uint8]:
    """Reads pictures as an artifact takes them, to the byte what ``fgcompile explain`` gives it.

    Each is turned upright, laid on white where it is transparent, scaled to bytes and fitted to the artifact's size as
    its metadata say, without any, about the centre so that 224/256 of the shorter side remain (bicubic).

    Args:
        session: Of an artifact that takes raw photos: compiled with ``preprocess``, or ``--mean`` and ``--std``.
        paths: A file or a picture of Pillow's, or several.
        fit: ``"crop"``, ``"squash"`` or ``"letterbox"``, where it is to be another way than the artifact's.
        window: The values that are black and white, in the file's own unit, for files that do not say.
        page: The page of a TIFF, or the frame of an animation or of a DICOM file, counted from 1.
        max_pixels: Of a picture with more than these, width times height, nothing but its size is read.

    Returns:
        uint8 ``(N, H, W, C)``, for ``session.explain``.

    Raises:
        InputError: The artifact takes no photos; a file cannot be read as a picture, or does not say which of its
            values are black and white; there is none, or no such page.
        MissingPackageError: One takes a package that is not installed.
    """
    if not isinstance(session, Session):
        raise InputError(f"session is {shown(session)}: give what fgcompile.load returns")
    if fit is not None and (not isinstance(fit, str) or fit not in ("crop", "squash", "letterbox")):
        raise InputError(
            f"fit is {shown(fit)}: give crop, squash or letterbox; fgcompile explain has whole and tile too"
        )
    pictures = list(paths) if isinstance(paths, Sequence) and not isinstance(paths, str | bytes) else paths
    return photos_of(pictures, session.metadata, Reading(window, page=page, max_pixels=max_pixels, fit=fit))
