"""Artifacts taken apart and put together again, with a seal that fits: what a careless tool or an attacker does."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import onnx

from fgcompile.artifact.names import METADATA_FILE, METADATA_KEY
from fgcompile.artifact.seal import SEAL_SIZE, seal_onnx, seal_zip


def seal_again(body: bytes) -> bytes:
    """What stands in front of a seal's digest, with the digest of what it is now."""
    return body + b"sha256:" + hashlib.sha256(body).hexdigest().encode()


def body_of(content: bytes) -> bytes:
    """An artifact without its seal."""
    return content[:-SEAL_SIZE]


def members(content: bytes) -> dict[str, bytes]:
    """The files of an archive by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(files: Mapping[str, bytes]) -> bytes:
    """An archive of these files, sealed."""
    return pack_entries([(zipfile.ZipInfo(name), content) for name, content in files.items()])


def pack_entries(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    """An archive of these entries, whatever they are called, sealed."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for entry, content in entries:
            archive.writestr(entry, content, entry.compress_type)
    return seal_zip(target.getvalue())


def with_metadata(content: bytes, text: str) -> bytes:
    """An artifact whose metadata are another text, sealed again."""
    if content.startswith(b"PK"):
        files = members(content)
        (name,) = (name for name in files if name.endswith(f"/extra/{METADATA_FILE}"))
        return pack({**files, name: text.encode("utf-8", "surrogatepass")})
    model = onnx.load_from_string(content)
    del model.metadata_props[:]
    body = model.SerializeToString()
    value = text.encode("utf-8", "surrogatepass")
    entry = _field(1, METADATA_KEY.encode()) + _field(2, value)
    return seal_onnx(body + _field(14, entry))


def metadata_of(content: bytes) -> dict[str, Any]:
    """The metadata of an artifact that is whole."""
    if content.startswith(b"PK"):
        text = next(file for name, file in members(content).items() if name.endswith(f"/extra/{METADATA_FILE}"))
    else:
        model = onnx.load_from_string(content)
        text = next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY).encode()
    found: dict[str, Any] = json.loads(text)
    return found


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    size, length = bytearray(), len(value)
    while length >= 0x80:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + value
