"""Zip archives that depend on nothing but what is in them, so that the same compile twice gives the same bytes."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

from fgcompile.artifact.metadata import dumps
from fgcompile.artifact.names import DEFAULTS_FILE, METADATA_FILE, TOKENIZER_FILE
from fgcompile.compiler.ir.programs import FusedProgram

_NO_DATE = (1980, 1, 1, 0, 0, 0)


LEFT_OUT = re.compile(r"/\.data/serialization_id$")
"""A file of PyTorch's archives: a checksum of the others as they were written."""


def extra_files(program: FusedProgram, defaults: bool = False) -> dict[str, str]:
    """The extra files of an artifact that is an archive.

    Args:
        program: What they are of: its metadata, and its tokenizer where it keeps one.
        defaults: Whether the values of inputs that may be left out are among them: what takes every input needs them.
    """
    files = {METADATA_FILE: dumps(program.metadata)}
    if program.tokenizer is not None:
        files[TOKENIZER_FILE] = program.tokenizer
    values = {spec.name: spec.default for spec in program.inputs if spec.default is not None}
    if defaults and values:
        # As text, since PyTorch reads the extra files of a package as text.
        encoded = {name: base64.b64encode(value.numpy().tobytes()).decode() for name, value in values.items()}
        files[DEFAULTS_FILE] = dumps(encoded)
    return files


def with_extra_files(archive: IO[bytes], extra: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """The files of one of PyTorch's archives, without what is left out, and extra ones.

    Those are in front, where what is left of a file that was cut off still says whose it is.
    """
    with zipfile.ZipFile(archive) as source:
        names = [name for name in source.namelist() if not LEFT_OUT.search(name)]
        root = names[0].partition("/")[0]
        yield from ((f"{root}/extra/{name}", text.encode()) for name, text in extra.items())
        yield from ((name, source.read(name)) for name in names)


def write_archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The files by name, in this order, stored without compression, without dates and without a comment."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, _NO_DATE), content)
    return target.getvalue()
