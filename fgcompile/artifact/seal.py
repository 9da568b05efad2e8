"""The seal over an artifact's bytes, and what it is written into."""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from fgcompile.artifact.names import DATA_KEY, METADATA_KEY

SEAL_SIZE = 71


_DIGEST_KEY = f"{METADATA_KEY}.digest".encode()


# Protobuf wire format: a tag is (field number << 3) | wire type, and wire type 2 is "length-delimited".
METADATA_PROPS, ENTRY_KEY, ENTRY_VALUE = 14, 1, 2


_END_OF_CENTRAL_DIRECTORY = b"PK\x05\x06"


def seal_onnx(body: bytes | Iterable[bytes | memoryview]) -> bytes:
    """A serialised ONNX ``ModelProto``, whole or in parts, with the seal as its last ``metadata_props`` entry."""
    key = _field(ENTRY_KEY, _DIGEST_KEY)
    value_header = bytes([_tag(ENTRY_VALUE), SEAL_SIZE])
    entry_size = len(key) + len(value_header) + SEAL_SIZE
    parts = [body] if isinstance(body, bytes) else body
    return _seal(chain(parts, [bytes([_tag(METADATA_PROPS), entry_size]) + key + value_header]))


def data_entry(digest: str) -> bytes:
    """The ``metadata_props`` entry that names the digest of the weights beside a model, to be put behind it."""
    entry = _field(ENTRY_KEY, DATA_KEY.encode()) + _field(ENTRY_VALUE, digest.encode())
    return bytes([_tag(METADATA_PROPS), len(entry)]) + entry


def seal_zip(body: bytes) -> bytes:
    """A zip archive without a comment (TorchScript, ``.pt2``) with the seal as its comment.

    Raises:
        ValueError: ``body`` does not end in an end-of-central-directory record with an empty comment.
    """
    end = body[-22:]
    if not (end.startswith(_END_OF_CENTRAL_DIRECTORY) and end.endswith(b"\0\0")):
        raise ValueError("not a zip archive without a comment")
    return _seal([memoryview(body)[:-2], struct.pack("<H", SEAL_SIZE)])


def read_seal(content: bytes | memoryview) -> str:
    """The seal of an artifact that is whole: another one has another."""
    return bytes(content[-SEAL_SIZE:]).decode()


def is_sealed(path: Path) -> bool:
    """Whether a file ends as an artifact does; whether its seal is right is not looked at."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, io.SEEK_END) - SEAL_SIZE))
        return re.fullmatch(rb"sha256:[0-9a-f]{64}", file.read()) is not None


def _seal(parts: Iterable[bytes | memoryview]) -> bytes:
    """The parts, which hold all but the seal, and the seal over them; of each only these bytes are kept."""
    digest, sealed = hashlib.sha256(), io.BytesIO()
    for part in parts:
        digest.update(part)
        sealed.write(part)
    sealed.write(f"sha256:{digest.hexdigest()}".encode())
    return sealed.getvalue()


def _tag(field: int) -> int:
    return field << 3 | 2


def _field(field: int, value: bytes) -> bytes:
    """A length-delimited protobuf field of fewer than 128 bytes, so that its length is one byte."""
    return bytes([_tag(field), len(value)]) + value
