"""An ONNX artifact as a container: its metadata, and where its weights are.

A tensor of ONNX may lie in another file, which its path names, and a path may lead anywhere. Those of an artifact lie
in the file itself, or all in one beside it, whose digest the file holds, so that one seal covers both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from fgcompile.artifact.names import DATA_KEY, DATA_SUFFIX
from fgcompile.artifact.protobuf import fields
from fgcompile.artifact.seal import ENTRY_KEY, ENTRY_VALUE, METADATA_PROPS

RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 9, 13, 14
"""The fields of a tensor that hold its bytes, or say where these lie."""

EXTERNAL = 1
"""The value of ``DATA_LOCATION`` of a tensor that lies in another file."""

LOCATION = b"\x0a\x08location"
"""The key of the entry of a tensor's external data that holds its path, as it lies in the file."""

# Whatever of a model may hold tensors: message by message, its fields of messages by their numbers (onnx.proto).
_MODEL: dict[int, str] = {7: "graph", 20: "training", 25: "function"}
BELOW: Mapping[str, Mapping[int, str]] = {
    "model": _MODEL,
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
DEEPEST = 100
"""Of graphs within graphs that are looked into."""


@dataclass(frozen=True)
class Beside:
    """The weights of an artifact that lie in another file.

    Attributes:
        name: The file's name; it is in the artifact's own folder.
        digest: ``sha256:…`` of it.
    """

    name: str
    digest: str


def find_beside(content: bytes) -> Beside | None:
    """Where the weights lie that are not in the file; None where all are.

    Raises:
        ValueError: They lie where no artifact's do, or nothing says what they are.
    """
    paths = external_paths(content)
    if not paths:
        return None
    try:
        digest = read_onnx_entry(content, DATA_KEY).decode()
    except LookupError:
        raise ValueError("a tensor of it lies in another file, which the seal does not cover") from None
    name = paths[0]
    is_name = name == PurePosixPath(name).name == PureWindowsPath(name).name
    if len(paths) > 1 or not is_name or not name.endswith(DATA_SUFFIX):
        shown = ", ".join(map(ascii, paths[:3]))
        raise ValueError(f"its tensors lie in {shown}, and not in one file beside it that ends in {DATA_SUFFIX}")
    return Beside(name, digest)


def read_onnx_entry(content: bytes, key: str) -> bytes:
    """The value of an entry of ``metadata_props``.

    Raises:
        LookupError: There is none.
        ValueError: There are several, or the content is no protobuf message.
    """
    found = []
    for field, entry in fields(memoryview(content)):
        if field == METADATA_PROPS:
            pair = dict(fields(entry))
            if bytes(pair.get(ENTRY_KEY, b"")) == key.encode():
                found.append(pair.get(ENTRY_VALUE, memoryview(b"")))
    if not found:
        raise LookupError(f"no metadata_props entry {key}")
    if len(found) > 1:
        raise ValueError(f"{len(found)} metadata_props entries {key}")
    return bytes(found[0])


def external_paths(content: bytes) -> list[str]:
    """The paths of the other files in which tensors of an ONNX model lie.

    Raises:
        ValueError: It is no protobuf message.
    """
    return sorted({place["location"] for place in external_places(content) if "location" in place})


def external_places(content: bytes) -> list[dict[str, str]]:
    """Where each tensor of an ONNX model that lies in another file does: its ``location``, ``offset`` and ``length``.

    Raises:
        ValueError: It is no protobuf message.
    """
    found = []
    for tensor in _external_tensors(content):
        pairs = [dict(fields(entry)) for field, entry in fields(tensor) if field == EXTERNAL_DATA]
        found.append({_text(pair, ENTRY_KEY): _text(pair, ENTRY_VALUE) for pair in pairs})
    return found


def _text(pair: dict[int, memoryview], field: int) -> str:
    return bytes(pair.get(field, b"")).decode("utf-8", "surrogateescape")


def _external_tensors(content: bytes) -> Iterator[memoryview]:
    # Nearly no model has these bytes at all, and to look for them takes a moment; to look at every node takes longer.
    if LOCATION in content:
        yield from _external(memoryview(content), "model", 0)


def _external(message: memoryview, kind: str, depth: int) -> Iterator[memoryview]:
    """The tensors within a message that lie in another file."""
    if depth > DEEPEST:
        raise ValueError(f"its graphs are deeper than {DEEPEST}")
    if kind == "tensor":
        if any(field == EXTERNAL_DATA for field, _ in fields(message)):
            yield message
        return
    for field, content in fields(message):
        if (below := BELOW[kind].get(field)) is not None:
            yield from _external(content, below, depth + 1)
