"""An artifact as a file: its seal checked, and its metadata found in the container of its format."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from fgcompile.artifact.metadata import Metadata, loads
from fgcompile.artifact.names import METADATA_FILE, METADATA_KEY
from fgcompile.artifact.seal import ENTRY_KEY, ENTRY_VALUE, METADATA_PROPS, SEAL_SIZE
from fgcompile.errors import ArtifactError

_LOCAL_FILE = b"PK\x03\x04"


def check_seal(content: bytes | memoryview, path: str | Path) -> None:
    """Passes an artifact that is whole, byte for byte; ``path`` is for messages.

    Raises:
        ArtifactError: ``content`` is empty, damaged, truncated, or not fgcompile's at all.
    """
    view = memoryview(content)
    if not view:
        raise ArtifactError(f"{path}: is empty: copy it again or compile it again")
    seal = bytes(view[-SEAL_SIZE:])
    if len(seal) == SEAL_SIZE and seal.startswith(b"sha256:"):
        if hashlib.sha256(view[:-SEAL_SIZE]).hexdigest().encode() != seal.removeprefix(b"sha256:"):
            raise ArtifactError(
                f"{path}: is damaged: its bytes do not match its SHA-256 seal; copy it again or compile it again"
            )
    elif "models" in zip_folders(content):
        raise ArtifactError(
            f"{path}: is an exported program, not an artifact: make one of it with `fgcompile compile {path}`"
        )
    elif METADATA_KEY.encode() in bytes(content):
        raise ArtifactError(
            f"{path}: is truncated or was changed: it does not end in its SHA-256 seal; copy or compile it again"
        )
    else:
        raise ArtifactError(f"{path}: is not an fgcompile artifact: make one with `fgcompile compile`")


def read_artifact(path: str | Path) -> tuple[bytes, Metadata]:
    """An artifact's bytes, once its seal is checked, and its metadata, without any runtime.

    Raises:
        ArtifactError: It cannot be read, is empty, damaged, truncated, of a newer schema, or not fgcompile's.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}): give the path of an artifact") from error
    check_seal(content, path)
    try:
        is_zip = content.startswith(_LOCAL_FILE)
        text = (read_extra_file(content, METADATA_FILE) if is_zip else _onnx_metadata(content)).decode()
    except (LookupError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path}: has a seal but no readable metadata ({error}): compile it again") from error
    return content, loads(text, path)


def read_metadata(path: str | Path) -> Metadata:
    """An artifact's metadata, once its seal is checked; errors as ``read_artifact``."""
    return read_artifact(path)[1]


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


def zip_folders(content: bytes | memoryview) -> set[str]:
    """The folders of a zip archive's files, without the archive's own: ``.pt2`` keeps exported programs in ``models``.

    Empty where it is no archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name.partition("/")[2].rpartition("/")[0] for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):  # a name or a version that cannot be read
        return set()


def _onnx_metadata(content: bytes) -> bytes:
    for field, entry in _fields(memoryview(content)):
        if field == METADATA_PROPS:
            pair = dict(_fields(entry))
            if bytes(pair.get(ENTRY_KEY, b"")) == METADATA_KEY.encode():
                return bytes(pair.get(ENTRY_VALUE, b""))
    raise LookupError(f"no metadata_props entry {METADATA_KEY}")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of a protobuf message's length-delimited fields; the others are skipped."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        match tag & 7:
            case 0:
                _, position = _varint(message, position)
            case 1:
                position += 8
            case 2:
                size, start = _varint(message, position)
                position = start + size
                yield tag >> 3, message[start:position]
            case 5:
                position += 4
            case _:
                raise ValueError("neither a zip archive nor a protobuf message")
    if position != len(message):
        raise ValueError("neither a zip archive nor a protobuf message")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A base-128 integer, least significant group first, and the position behind it."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
