"""Photos from files as one array, for ``Session.explain`` in Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.fitting import fit_of
from fgcompile.errors import InputError
from fgcompile.media.images import photo_shape, read_photo
from fgcompile.media.reading import Reading
from fgcompile.runtime import Session


def read_photos(
    session: Session,
    paths: str | Path | Sequence[str | Path],
    fit: str | None = None,
    window: tuple[float, float] | None = None,
) -> NDArray[np.uint8]:
    """Reads picture files as an artifact takes them, to the byte what ``fgcompile explain`` gives it.

    Each is turned upright, laid on white where it is transparent, scaled to bytes and fitted to the artifact's size as
    its metadata say, without any, about the centre so that 224/256 of the shorter side remain (bicubic).

    Args:
        session: Of an artifact that takes raw photos: compiled with ``preprocess``, or ``--mean`` and ``--std``.
        paths: A file, or several.
        fit: ``"crop"``, ``"squash"`` or ``"letterbox"``, where it is to be another way than the artifact's.
        window: The values that are black and white, in the file's own unit, for files that do not say.

    Returns:
        uint8 ``(N, H, W, C)``, for ``session.explain``.

    Raises:
        InputError: The artifact takes no photos; a file cannot be read as a picture, or does not say which of its
            values are black and white; there is none.
        MissingPackageError: One takes a package that is not installed.
    """
    files = [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not files:
        raise InputError("no photos are given: give the path of one, or several")
    if fit not in (None, "crop", "squash", "letterbox"):
        raise InputError(f"fit is {fit!r}: give crop, squash or letterbox; fgcompile explain has whole and tile too")
    shape, reading = photo_shape(session.metadata), Reading(fit=fit, window=window)
    return np.stack([read_photo(path, shape, reading, fit_of(session.metadata["preprocess"])) for path in files])
