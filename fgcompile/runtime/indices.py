"""Indices that a model computes of its inputs and that lie nowhere: what runtimes say of them, and what we say."""

from __future__ import annotations

import re

from fgcompile.artifact.metadata import Metadata
from fgcompile.system.text import visible

_NAMED = 3
"""Tables that the message names, at most."""


def out_of_range(metadata: Metadata) -> str:
    """The message, of every runtime, with the tables in which such an index may have had no place."""
    tables = metadata.get("tables", [])
    named = [f"'{visible(table['name'])}' has {table['size']} places" for table in tables[:_NAMED]]
    more = [f"and {len(tables) - _NAMED} more are read so"] if len(tables) > _NAMED else []
    where = f" ({', '.join([*named, *more])})" if named else ""
    return (
        "an index that the model computes of its inputs is out of range, such as the position of a token where a text "
        f"is longer than the model has positions{where}: give other inputs"
    )


_SIGNS = re.compile(
    r"invalid index found|indices element out of data bounds|index \S+ is out of bounds|index out of (range|bounds)"
)


def is_out_of_range(error: BaseException) -> bool:
    """Whether a runtime's error says that an index has no place: ONNX Runtime's, TorchScript's or a package's."""
    return _SIGNS.search(str(error)) is not None
