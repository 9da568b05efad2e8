"""Zip archives that depend on nothing but what is in them, so that the same compile twice gives the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

_NO_DATE = (1980, 1, 1, 0, 0, 0)


def write_archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The files by name, in this order, stored without compression, without dates and without a comment."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, _NO_DATE), content)
    return target.getvalue()
