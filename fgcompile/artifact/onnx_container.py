"""An ONNX artifact as a container: its metadata, and that all of its weights are in the file.

A tensor of ONNX may lie in another file, which its path names: the seal covers none, and a path may lead anywhere. No
artifact has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fgcompile.artifact.names import METADATA_KEY
from fgcompile.artifact.protobuf import fields
from fgcompile.artifact.seal import ENTRY_KEY, ENTRY_VALUE, METADATA_PROPS

_EXTERNAL_DATA = 13
_LOCATION = b"\x0a\x08location"
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


def read_onnx_metadata(content: bytes) -> bytes:
    """The entry ``fgcompile`` of ``metadata_props``.

    Raises:
        LookupError: There is none.
        ValueError: There are several, the content is no protobuf message, or a tensor lies in another file.
    """
    found = read_onnx_entry(content, METADATA_KEY)
    if any(True for _ in _external_tensors(content)):
        raise ValueError("a tensor of it lies in another file, which the seal does not cover")
    return found


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
    found = set()
    for tensor in _external_tensors(content):
        for field, entry in fields(tensor):
            if field == _EXTERNAL_DATA:
                pair = dict(fields(entry))
                if bytes(pair.get(ENTRY_KEY, b"")) == b"location":
                    found.add(bytes(pair.get(ENTRY_VALUE, b"")).decode("utf-8", "surrogateescape"))
    return sorted(found)


def _external_tensors(content: bytes) -> Iterator[memoryview]:
    # Nearly no model has these bytes at all, and to look for them takes a moment; to look at every node takes longer.
    if _LOCATION in content:
        yield from _external(memoryview(content), "model", 0)


def _external(message: memoryview, kind: str, depth: int) -> Iterator[memoryview]:
    """The tensors within a message that lie in another file."""
    if depth > DEEPEST:
        raise ValueError(f"its graphs are deeper than {DEEPEST}")
    if kind == "tensor":
        if any(field == _EXTERNAL_DATA for field, _ in fields(message)):
            yield message
        return
    for field, content in fields(message):
        if (below := BELOW[kind].get(field)) is not None:
            yield from _external(content, below, depth + 1)
