"""One file a kind of source: each makes a ``Picture`` of an open file. Which one it is for, its first bytes say.

A file's name says nothing: it is its sender's. Whatever is not a regular file is refused before it is opened, for
a pipe would be waited for, and a device may act on being read.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from PIL.Image import Image

from fgcompile.errors import FgcompileError, InputError, MissingPackageError, first_line
from fgcompile.pictures.picture import Picture
from fgcompile.pictures.reading import Reading
from fgcompile.pictures.sources import arrays, dicom, raster
from fgcompile.system.text import as_typed, visible

_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

_ONE_AT_A_TIME = threading.Lock()
"""Warnings' filters and Pillow's bound on pixels are the whole process's: two readers would undo each other's."""


def read_picture(path: Path, shape: tuple[int, int, int], reading: Reading) -> Picture:
    """Reads a file of any kind.

    Args:
        path: The file.
        shape: ``(H, W, C)`` of what the artifact takes.
        reading: What the file does not say.

    Raises:
        InputError: There is no such file, it is no picture, or none that can be read rightly; in one line, by its name.
        MissingPackageError: It takes a package that is not installed.
    """
    name = visible(as_typed(path))
    try:
        with _open(path) as file, _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, in many words; what matters is raised
            return _source(file)(file, shape, reading)
    except FileNotFoundError:
        raise InputError(f"{name}: {_advice(name)}") from None
    except MissingPackageError as error:
        raise MissingPackageError(f"{name}: {error}") from error
    except FgcompileError as error:
        raise InputError(f"{name}: {error}") from error
    except Exception as error:  # decoders raise what they like on a damaged file
        why = visible(str(getattr(error, "strerror", None) or first_line(error)))
        raise InputError(
            f"{name} cannot be read as a picture ({why}): give a complete image file, e.g. JPEG or PNG"
        ) from error


def _advice(name: str) -> str:
    """What to do about a file that is not there: it may be none."""
    if re.match(r"\w+://", name):
        return "give a file, not an address"
    sentence = " " in name and not re.search(r"\.\w{2,5}$", name)
    return "no such file, and this artifact takes photos, no texts" if sentence else "no such file"


def picture_of_image(image: Image, shape: tuple[int, int, int], reading: Reading) -> Picture:
    """The same of a picture of Pillow's, as if its file were read, which the caller has opened or made.

    Raises:
        InputError: It cannot be loaded, is too large, or the artifact takes other channels than pictures have.
    """
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return raster.read_image(image, shape, reading)
    except FgcompileError as error:
        raise InputError(f"a picture: {error}") from error
    except Exception as error:  # a file that is damaged, or closed, is found when it is loaded
        raise InputError(f"a picture cannot be loaded ({visible(first_line(error))}): give a complete one") from error


def _open(path: Path) -> BinaryIO:
    """Opens a regular file."""
    _require_regular(os.stat(path))
    descriptor = os.open(path, os.O_RDONLY | _NO_WAITING)
    try:
        _require_regular(os.fstat(descriptor))  # it may have been replaced in between
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise OSError(None, f"{kind}, not a file")


def _source(file: BinaryIO) -> Callable[[BinaryIO, tuple[int, int, int], Reading], Picture]:
    head = file.read(132)
    file.seek(0)
    if head.startswith(arrays.MAGIC):
        return arrays.read
    return dicom.read if head[128:] == dicom.MAGIC else raster.read
