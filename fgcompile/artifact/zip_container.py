"""A TorchScript archive or a ``.pt2`` as a container: what may be in it, before anything unpacks it."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import PurePosixPath

LOCAL_FILE = b"PK\x03\x04"

UNREADABLE = (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, RuntimeError, EOFError, OverflowError)
"""What the standard library raises of archives that it cannot read: a password is a RuntimeError, a version another."""

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_MOST_ENTRIES = 1_000_000
_EXPANSION = 4
_SPARE = 64 * 2**20

COMPILED = "data/aotinductor/"
"""The folder of a ``.pt2`` with the libraries that AOTInductor made."""

PROGRAMS = "models/"
"""The folder of a ``.pt2`` with the graphs of exported programs."""

MARKS = {"torchscript": "constants.pkl", "pt2": COMPILED, "exported": PROGRAMS}
"""What a format's archive has, and no other's: how the name of a file begins."""


def check_archive(content: bytes) -> list[str]:
    """The names of an archive's files without the archive's own folder, once it may be unpacked.

    Raises:
        ValueError: An entry would leave the folder that it is unpacked in, stands there twice, is a link, is encrypted,
            compressed in a way or by a ratio that no artifact is, or shares bytes with another.
        zipfile.BadZipFile: It is no archive.
    """
    if not content.startswith(LOCAL_FILE):
        raise ValueError("bytes stand in front of its archive")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise ValueError(f"its archive has {len(entries)} files")
    for entry in entries:
        _check_entry(entry)
    names = [entry.filename for entry in entries]
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError("its archive has two files of one name")
    if len({name.partition("/")[0] for name in names}) != 1:
        raise ValueError("its archive has files outside its folder")
    expanded = sum(entry.file_size for entry in entries)
    if expanded > _EXPANSION * len(content) + _SPARE:
        raise ValueError(f"its archive expands to {expanded} bytes")
    entries.sort(key=lambda entry: entry.header_offset)
    starts = [entry.header_offset for entry in entries[1:]] + [len(content)]
    if any(entry.header_offset + entry.compress_size >= start for entry, start in zip(entries, starts, strict=True)):
        raise ValueError("files of its archive share bytes")
    return [name.partition("/")[2] for name in names]


def format_of(names: list[str]) -> str | None:
    """The format of an artifact by the files of its archive; None of one that is neither."""
    found = [format for format, mark in MARKS.items() if any(name.startswith(mark) for name in names)]
    return found[0] if len(found) == 1 else None


def read_extra_file(content: bytes, name: str) -> bytes:
    """An extra file of the zip archive of a TorchScript artifact or ``.pt2``.

    Raises:
        LookupError: There is none of that name.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for path in archive.namelist():
            if path.count("/") == 2 and path.endswith(f"/extra/{name}"):
                return archive.read(path)
    raise LookupError(f"no extra file {name}")


def compiled_models(content: bytes) -> list[str]:
    """The names of the models in a ``.pt2`` that AOTInductor made, in order."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        paths = (name.partition("/")[2] for name in archive.namelist())
        inner = (path.removeprefix(COMPILED) for path in paths if path.startswith(COMPILED))
        return list(dict.fromkeys(path.partition("/")[0] for path in inner))


def zip_folders(content: bytes | memoryview) -> set[str]:
    """The folders of a zip archive's files, without the archive's own: ``.pt2`` keeps exported programs in ``models``.

    Empty where it is no archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name.partition("/")[2].rpartition("/")[0] for name in archive.namelist()}
    except UNREADABLE:
        return set()


def _check_entry(entry: zipfile.ZipInfo) -> None:
    # What ``zipfile`` calls the file may differ from its bytes, which other readers see: a NUL ends the name here.
    name = entry.orig_filename
    parts = PurePosixPath(name).parts
    unsafe = not name.isprintable() or "\\" in name or ":" in name or name.endswith("/")
    if unsafe or name.startswith("/") or ".." in parts or len(parts) < 2 or "/".join(parts) != name:
        raise ValueError(f"its archive has a file {name!a}, which could lie anywhere")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise ValueError(f"its archive has {name!a}, which is no file but a link or a device")
    if entry.flag_bits & _ENCRYPTED:
        raise ValueError(f"its archive has {name!a} encrypted")
    if entry.compress_type not in _METHODS:
        raise ValueError(f"its archive has {name!a} in the unknown compression {entry.compress_type}")
