"""``.pt2`` files of ``torch.export.save``, read without running what is in them.

``torch.export.load`` unpickles constants and example inputs, and has SymPy *evaluate* the sizes of tensors, which are
texts in the file: both would run a program of the file's maker. Here an archive is looked through first, and PyTorch
is told to unpickle nothing but tensors.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from fgcompile.artifact.regular import read_regular
from fgcompile.artifact.zip_container import COMPILED, UNREADABLE, check_archive
from fgcompile.errors import SourceError, first_line

_WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""PyTorch's switch, which overrules its own calls of ``torch.load``; it is a variable of the environment."""

_EXPRESSION = re.compile(
    r"(?:Symbol\('\w{1,40}'|[A-Z][A-Za-z]*(?=\()|[a-z]+(?:\d+|=(?:True|False))|-?\d+(?:\.\d+)?|-?oo|[-+*/(), <>=&|~])*"
)
"""Sizes as PyTorch writes them, ``Mul(Integer(2), Symbol('s77', integer=True))``: no attribute, no text but a symbol's
name, no function but SymPy's own classes."""

_SIZES = {"expr_str", "as_expr"}
_TENSORS = ("weight_", "tensor_")
_LONGEST = 4096


def read_exported_program(path: Path) -> ExportedProgram:
    """Reads an exported program.

    Raises:
        SourceError: The file is none, or holds what only unpickling or evaluating could read.
    """
    content = _read(path)
    try:
        names = check_archive(content)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    if any(name.startswith(COMPILED) for name in names):
        raise SourceError(
            f"{path} is compiled already, not an exported program: give the model that it was made from, "
            "or what torch.export.save wrote"
        )
    try:
        _require_data(content)
        with _tensors_only():
            return torch.export.load(io.BytesIO(content))
    except Exception as error:  # zip, JSON and schema errors alike: the file is not a program this torch reads
        raise _unreadable(path, error) from error


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}): give the path of a file") from error


def _require_data(content: bytes) -> None:
    """Refuses what is read by unpickling or evaluating it.

    Raises:
        ValueError: There is such a thing.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                _require_plain(json.loads(archive.read(name)), name.partition("/")[2])


def _require_plain(found: Any, name: str) -> None:
    below = [found]
    while below:
        value = below.pop()
        if isinstance(value, list):
            below += value
        if not isinstance(value, dict):
            continue
        for key, entry in value.items():
            size = key in _SIZES and isinstance(entry, str)
            if size and (len(entry) > _LONGEST or not _EXPRESSION.fullmatch(entry)):
                raise ValueError(f"{name} has a size that is no expression")
            if key == "path_name" and not str(entry).startswith(_TENSORS):
                raise ValueError(f"{name} names an object that is no tensor")
        below += value.values()


@contextmanager
def _tensors_only() -> Iterator[None]:
    before = os.environ.get(_WEIGHTS_ONLY)
    os.environ[_WEIGHTS_ONLY] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_WEIGHTS_ONLY]
        else:
            os.environ[_WEIGHTS_ONLY] = before


def _unreadable(path: Path, error: Exception) -> SourceError:
    kind, line = type(error).__name__, first_line(error)
    reason = kind if line == kind else f"{kind}: {line}"
    return SourceError(
        f"{path} cannot be read as an exported program ({reason}): "
        f"save it again with torch.export.save in torch {torch.__version__}"
    )
