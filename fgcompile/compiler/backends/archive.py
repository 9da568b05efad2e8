"""Zip archives that depend on nothing but what is in them, so that the same compile twice gives the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

from fgcompile.artifact.metadata import dumps
from fgcompile.artifact.names import METADATA_FILE, TOKENIZER_FILE
from fgcompile.compiler.ir.programs import FusedProgram

_NO_DATE = (1980, 1, 1, 0, 0, 0)


def extra_files(program: FusedProgram) -> dict[str, str]:
    """The extra files of an artifact that is an archive: its metadata, and its tokenizer where it keeps one."""
    files = {METADATA_FILE: dumps(program.metadata)}
    return files if program.tokenizer is None else {**files, TOKENIZER_FILE: program.tokenizer}


def write_archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The files by name, in this order, stored without compression, without dates and without a comment."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, _NO_DATE), content)
    return target.getvalue()
